"""The commands for programs and circuits of the accelerator, modules as those of `acc.cli`."""
