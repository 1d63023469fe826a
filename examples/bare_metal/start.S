/* What runs before main on a processor that has just been switched on: a stack,
   memory that is zero, floats where there are any. */
  .section .text.start
  .globl _start
_start:
  .option push
  .option norelax
  la gp, __global_pointer$
  .option pop
  la sp, __stack_end
  la tp, __tls_start
#ifdef __riscv_flen
  li t0, 1 << 13
  csrs mstatus, t0
#endif
  la t0, __bss_start
  la t1, __bss_end
1:
  bgeu t0, t1, 2f
  sb zero, 0(t0)
  addi t0, t0, 1
  j 1b
2:
  call main
  /* The "test finisher" of qemu's machine: 0x5555 ends it with exit code 0, 0x3333 with the code in the upper half. */
  li t0, 0x5555
  beqz a0, 3f
  slli a0, a0, 16
  li t0, 0x3333
  or t0, t0, a0
3:
  li t1, 0x100000
  sw t0, 0(t1)
4:
  j 4b
