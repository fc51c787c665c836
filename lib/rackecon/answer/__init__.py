"""The report's answer: who earns most, how surely, and which assumptions decide it."""
