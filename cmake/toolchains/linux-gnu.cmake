# Clang with Debian's libraries for another architecture; included by the files
# named after triples, which set ACC_CROSS_PROCESSOR:
#
#   cmake -S runtime -B build/runtime-TRIPLE -DCMAKE_TOOLCHAIN_FILE=cmake/toolchains/TRIPLE.cmake
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${ACC_CROSS_PROCESSOR})
set(ACC_CROSS_TRIPLE ${ACC_CROSS_PROCESSOR}-linux-gnu)

set(CMAKE_C_COMPILER clang-22)
set(CMAKE_CXX_COMPILER clang++-22)
set(CMAKE_C_COMPILER_TARGET ${ACC_CROSS_TRIPLE})
set(CMAKE_CXX_COMPILER_TARGET ${ACC_CROSS_TRIPLE})
foreach(kind EXE SHARED MODULE)
  set(CMAKE_${kind}_LINKER_FLAGS_INIT "-fuse-ld=lld")
endforeach()

# Libraries are the target's; headers without code, such as those of JSON, may
# be this machine's, as are programs.
set(CMAKE_FIND_ROOT_PATH /usr/${ACC_CROSS_TRIPLE})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE BOTH)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE BOTH)
