"""What an operator has: what is noticed and counted, how busy the process is, who may ask."""
