"""KetaMech: from a dose of ketamine to the mood weeks later, computed from published numbers."""
