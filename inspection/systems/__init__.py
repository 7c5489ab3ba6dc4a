"""The three systems, each a folder that can be read alone; torch is imported from here on."""
