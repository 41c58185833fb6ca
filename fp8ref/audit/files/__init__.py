"""Files of models, read without trust: safetensors, GGUF, npz, ONNX, torch.  ``folder.open_files`` opens any."""
