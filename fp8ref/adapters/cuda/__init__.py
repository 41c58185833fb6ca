"""An NVIDIA GPU, and NVIDIA's headers compiled for the host."""
