"""The accelerator as a circuit: from a configuration to SystemVerilog and to a simulator made of it."""
