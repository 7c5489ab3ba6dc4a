"""CT volumes: opened whatever a scanner wrote them as, read plane by plane, never loaded whole."""
