"""Programs and shared objects in any language: lines, JSON, binary frames, the C ABI."""
