"""The one SystemVerilog package that depends on the configuration; everything else of the RTL is parametric in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from acc._lib import _runtime, isa
from acc.errors import ConfigError

PORTS: tuple[int, ...] = _runtime.CIRCUIT_PORTS
"""Widths in bits that the memory port can have."""


@dataclass(frozen=True)
class Circuit:
    """What the circuit can choose beyond `vta_config.json`.

    `mem_data_width` is the memory port's width in bits; the other sizes are log2: instructions in each of the three
    queues, tokens in each of the four, beats of a burst, beats on their way per module, banks of the accumulators: with
    two or more, a GEMM, an ALU instruction and a LOAD of accumulators run beside each other where they touch other
    banks. With `early_uops` (1), a LOAD of micro-ops there does not wait for instructions that use others.

    How long pipelines are is traded for frequency: `operand_stages` are registers between the scratchpads and the
    multipliers, `tree_levels` levels of the GEMM core's adder tree in a stage (more of them, fewer stages),
    `alu_stages` stages of the ALU, by which an operation waits longer for one whose result it reads.

    `dsp_blocks` is how many DSP blocks the multipliers may take: three for each lane of the ALU, then one for each
    product of the GEMM core; the others multiply in logic. None: no limit (or what the FPGA has, see `synthesis`).
    """

    mem_data_width: int = 64
    log_queue: int = 5
    log_tokens: int = 12
    log_max_burst: int = 4
    log_outstanding: int = 8
    log_acc_banks: int = 0
    operand_stages: int = 1
    tree_levels: int = 2
    alu_stages: int = 3
    early_uops: int = 0
    dsp_blocks: int | None = None

    def __post_init__(self) -> None:
        problems = _runtime.circuit_problems(**self.options)
        if self.dsp_blocks is not None and self.dsp_blocks < 0:
            problems.append(f"dsp_blocks is {self.dsp_blocks}, but must not be negative")
        if problems:
            raise ConfigError("; ".join(problems))

    @property
    def options(self) -> dict[str, int]:
        """What changes time, as the options of devices have it (`circuit_options`)."""
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "dsp_blocks"}
        return {"mem_width": values.pop("mem_data_width"), **values}

    @classmethod
    def of(cls, options: Mapping[str, int], dsp_blocks: int | None = None) -> Circuit:
        """The circuit that the options of a device describe; raises ConfigError if there is none."""
        values = dict(options)
        if "mem_width" in values:
            values["mem_data_width"] = values.pop("mem_width")
        return cls(**values, dsp_blocks=dsp_blocks)

    def key(self) -> str:
        """A short text that tells circuits apart."""
        return "-".join(str(getattr(self, f.name)) for f in fields(self))


def log2(value: int) -> int:
    """The logarithm of a power of two."""
    return value.bit_length() - 1


def constants(config: Any, circuit: Circuit, *, gate_idle: bool) -> dict[str, int]:
    """The package's integers by name. `config` is an `acc._lib._runtime.Config`."""
    shallow = [m for m in ("uop", "inp", "wgt", "acc") if config.depth(m) < 2]
    if shallow:
        keys = [f"LOG_{m.upper()}_BUFF_SIZE {log2(2 * config.element_bytes(m))}" for m in shallow]
        raise ConfigError(
            f"the circuit needs at least two entries of each scratchpad, but {', '.join(shallow)} has one: "
            f"{' and '.join(keys)} would do"
        )
    bank_problem = _runtime.acc_bank_problem(config, circuit.log_acc_banks, circuit.mem_data_width)
    stages_problem = _runtime.alu_stages_problem(config, circuit.alu_stages)
    if problems := [problem for problem in (bank_problem, stages_problem) if problem]:
        raise ConfigError("; ".join(problems))
    port_bytes = circuit.mem_data_width // 8
    log_port = log2(port_bytes)
    c = {
        "INP_BITS": config.inp_bits,
        "WGT_BITS": config.wgt_bits,
        "OUT_BITS": config.inp_bits,
        "BATCH": config.batch,
        "BLOCK_IN": config.block_in,
        "BLOCK_OUT": config.block_out,
        "LOG_BLOCK_IN": config.log_block_in,
        "TREE_LEVELS": circuit.tree_levels,
        "TREE": -(-config.log_block_in // circuit.tree_levels),
        "SUM_BITS": config.inp_bits + config.wgt_bits + config.log_block_in,
        "PORT": circuit.mem_data_width,
        "LOG_PORT_BYTES": log_port,
    }
    for memory in ("uop", "inp", "wgt", "acc", "out"):
        size = config.element_bytes(memory)
        name = memory.upper()
        if memory != "out":
            c[f"LOG_{name}_DEPTH"] = log2(config.depth(memory))
        c[f"{name}_ELEM"] = 8 * size
        c[f"LOG_{name}_BYTES"] = log2(size)
        c[f"LOG_EPB_{name}"] = max(log_port - log2(size), 0)
        c[f"LOG_BPE_{name}"] = max(log2(size) - log_port, 0)
    c["LOG_SRC_BITS"] = max(c["LOG_ACC_DEPTH"], c["LOG_INP_DEPTH"])
    c["LOG_MAX_BEATS"] = max(1, *(c[f"LOG_BPE_{m}"] for m in ("INP", "WGT", "ACC", "OUT")))
    # A beat that starts within a row of banks names the entry its first lane would hold, even if there is none.
    c["LOG_OUT_ADDR"] = max(c["LOG_ACC_DEPTH"], c["LOG_EPB_OUT"] + 1)
    c["OUT_LANES"] = 1 << c["LOG_EPB_OUT"]
    c["LOAD_LANES"] = 1 << max(c["LOG_EPB_INP"], c["LOG_EPB_WGT"])
    c["FILL_LANES"] = 1 << max(c["LOG_EPB_UOP"], c["LOG_EPB_OUT"])
    # A row may start 2^16 rows of 2^16 elements beyond a 32-bit base.
    c["ADDR"] = 33 + max(c[f"LOG_{m}_BYTES"] for m in ("UOP", "INP", "WGT", "ACC"))
    c["BEAT_ADDR"] = c["ADDR"] - log_port
    c["LOG_QUEUE"] = circuit.log_queue
    c["LOG_TOKENS"] = circuit.log_tokens
    c["LOG_MAX_BURST"] = max(circuit.log_max_burst, 1)
    c["LOG_OUTSTANDING"] = circuit.log_outstanding
    c["LOG_ACC_BANKS"] = circuit.log_acc_banks
    c["ACC_BANKS"] = 1 << circuit.log_acc_banks
    # Whether GEMM and ALU run beside each other; instructions of compute that have not retired, then, as log2.
    c["BESIDE"] = int(circuit.log_acc_banks > 0)
    c["EARLY_UOPS"] = circuit.early_uops
    c["LOG_UNRETIRED"] = LOG_UNRETIRED
    lanes = config.batch * config.block_out
    products = lanes * config.block_in
    blocks = 3 * lanes + products if circuit.dsp_blocks is None else circuit.dsp_blocks
    c["DSP_ALU_LANES"] = min(lanes, blocks // 3)
    c["DSP_PRODUCTS"] = min(products, blocks - 3 * c["DSP_ALU_LANES"])
    layout = config.layout
    for section, names in isa.FIELDS.items():
        # What GEMM and ALU share lies at the same place in both.
        places = layout["gemm" if section == "loop" else section]
        for name in names:
            c[f"F_{section}_{name}".upper()] = places[name][0]
    for name, (_, low, _, _) in isa.REQUANTIZE.items():
        c[f"F_REQUANTIZE_{name}".upper()] = low
    # Without a tree there is a register at least, as the old sum takes as long to read.
    c["OPERAND_STAGES"] = max(circuit.operand_stages, 1 - min(c["TREE"], 1))
    c["ALU_STAGES"] = circuit.alu_stages
    # Registers of the ALU before and behind the one in its middle.
    c["ALU_IN"] = (circuit.alu_stages - 1) // 2
    c["ALU_OUT"] = circuit.alu_stages // 2
    c["REQUANTIZE_MORE"] = REQUANTIZE_BEHIND - c["ALU_OUT"]
    c["HAS_REQUANTIZE"] = int(config.alu_requantize)
    c["HAS_SET"] = int(config.gemm_set)
    c["HAS_TABLE"] = int(config.alu_table)
    c["LOG_TABLES"] = config.log_tables if config.alu_table else 0
    c["TABLE_BITS"] = max(c["LOG_TABLES"], 1)
    c["LOG_TABLE_ENTRIES"] = config.log_table_entries
    c["HAS_WINDOW"] = int(config.gemm_window > 0)
    c["WINDOW_INPUTS"] = max(int(config.gemm_window), 1)
    c["GATE_IDLE"] = int(gate_idle)
    return c


# How many instructions of compute may be under way where GEMM and ALU run beside each other, as log2.
LOG_UNRETIRED = 5
# Stages of acc_requantize behind the one in the middle of acc_alu, whose shifter it shares.
REQUANTIZE_BEHIND = 8


def _declared(config: Any, table: dict[str, int], needs: dict[str, str]) -> tuple[str, ...]:
    keys = {name: needs.get(name) for name in table}
    return tuple(name for name, key in keys.items() if key is None or getattr(config, key.lower()))


def alu_operations(config: Any) -> tuple[str, ...]:
    """The operations of the tensor ALU that `config` (an `acc._lib._runtime.Config`) has, by name."""
    return _declared(config, isa.ALU_OPS, isa.ALU_NEEDS)


def opcodes(config: Any) -> tuple[str, ...]:
    """The opcodes that `config` has, by name."""
    return _declared(config, isa.OPCODES, isa.OPCODE_NEEDS)


def _encodings(prefix: str, width: int, table: dict[str, int]) -> dict[str, tuple[int, int]]:
    return {f"{prefix}_{name.upper()}": (width, code) for name, code in table.items()}


def _checked(prefix: str, width: int, table: dict[str, int]) -> dict[str, tuple[int, int]]:
    """The same with the last code that is defined, which others are compared with."""
    return _encodings(prefix, width, table | {"last": max(table.values())})


def _masks(config: Any) -> dict[str, tuple[int, int]]:
    """Which opcodes there are, and operations of the ALU with a source and with an immediate, a bit by code."""
    defined = alu_operations(config)
    immediate = [op for op in defined if op not in isa.ALU_NEEDS or isa.ALU_SOURCES[op] == 0]
    sources = [op for op in defined if isa.ALU_SOURCES[op] != 0]
    width = 1 << isa.CODE_WIDTHS["alu_op"]
    masks = {
        name: (width, sum(1 << isa.ALU_OPS[op] for op in ops))
        for name, ops in (("ALU_WITH_SOURCE", sources), ("ALU_IMMEDIATE", immediate))
    }
    return masks | {"OP_DEFINED": (1 << isa.OPCODE_BITS, sum(1 << isa.OPCODES[name] for name in opcodes(config)))}


def _bits(table: dict[str, int]) -> int:
    """How many bits the largest number needs."""
    return max(table.values()).bit_length()


# Bits of error codes: those of all units share a register.
_CODE = isa.REGISTER_BITS["error_code"][1]
# Encodings: opcodes, memory types and ALU operations of the instruction set; kinds of operations, fault and error
# codes, and registers of the circuit. Name to (width, value).
ENCODINGS: dict[str, tuple[int, int]] = {
    **_encodings("OP", isa.OPCODE_BITS, isa.OPCODES),
    **_checked("MEM", isa.CODE_WIDTHS["memory"], isa.MEMORIES),
    **_encodings("ALU", isa.CODE_WIDTHS["alu_op"], isa.ALU_OPS),
    **_encodings("KIND", _bits(isa.KINDS), isa.KINDS),
    **_encodings("UNIT", isa.REGISTER_BITS["error_unit"][1], isa.UNITS),
    **_encodings("FAULT", _bits(isa.FAULTS), isa.FAULTS),
    **_encodings("FETCH", _CODE, isa.FETCH_ERRORS),
    **_encodings("ERROR", _CODE, isa.ERRORS),
    **_checked("REG", _bits(isa.REGISTERS), isa.REGISTERS),
}
# Bits of instructions and of registers by name.
BITS: dict[str, int] = {
    **{f"F_{flag.upper()}": bit for flag, bit in isa.FLAGS.items()},
    **{f"B_{name.upper()}": low for name, (low, _) in isa.REGISTER_BITS.items()},
}


def package(config: Any, circuit: Circuit, *, gate_idle: bool = False) -> str:
    """The text of `acc_pkg.sv`.

    With `gate_idle`, wide registers keep their values in cycles in which nobody reads them, which costs enables in a
    circuit and saves time in a simulator.
    """
    lines = [
        f"// The accelerator {config.batch}x{config.block_in}x{config.block_out}, generated by acc.",
        f"// {config.to_json()}",
        "package acc_pkg;",
    ]
    for name, value in constants(config, circuit, gate_idle=gate_idle).items():
        flags = ("BESIDE", "EARLY_UOPS", "GATE_IDLE", "HAS_REQUANTIZE", "HAS_SET", "HAS_TABLE", "HAS_WINDOW")
        kind = "bit" if name in flags else "int"
        lines.append(f"  localparam {kind} {name} = {value};")
    lines += [f"  localparam int {name} = {bit};" for name, bit in BITS.items()]
    encodings = ENCODINGS | _masks(config)
    lines += [f"  localparam logic [{w - 1}:0] {name} = {w}'d{value};" for name, (w, value) in encodings.items()]
    return "\n".join([*lines, "endpackage", ""])
