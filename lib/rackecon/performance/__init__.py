"""What one engine step costs: operators, memory, communication, layouts."""
