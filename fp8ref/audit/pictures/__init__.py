"""What is drawn of audited tensors: maps of scales and errors, code usage."""
