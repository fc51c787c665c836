"""What serving costs and earns: finance, cost bases, cost of tokens, revenue, returns, power and racks."""
