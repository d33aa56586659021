"""What a bank pushes into feature views of its own."""
