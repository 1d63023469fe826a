"""What makes a quantized model lose less: each method is a module, and an option turns it on or off."""
