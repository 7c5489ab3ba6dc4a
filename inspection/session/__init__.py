"""What is kept of an inspection: session.json, a file per battery, evidence, audit log."""
