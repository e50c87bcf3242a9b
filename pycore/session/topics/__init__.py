"""What a packet can say beside inputs and receipts: one module for each topic."""
