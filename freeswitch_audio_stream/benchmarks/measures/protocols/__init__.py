"""What streams cost by the protocol that they speak."""
