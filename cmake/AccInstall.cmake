# What a wheel holds beside the Python sources: native modules, libraries and
# tools in acc/_lib, the runtime's C header in acc/include, and in acc/_hardware
# what simulators of the circuit are built from; runtime/*/CMakeLists.txt adds
# what belongs to an instruction set. acc.dialects and acc.passes are generated,
# MLIR's own bindings are the package acc.mlir; those of their files that are
# part of the repository come with the Python sources.
set(installed acc acc_runtime acc-opt acc-translate acc-lsp-server)
if(ACC_ENABLE_PYTHON)
  list(APPEND installed _mlir _runtime)
  get_property(generated_package GLOBAL PROPERTY ACC_GENERATED_PACKAGE)
  install(DIRECTORY ${generated_package}/dialects ${generated_package}/passes DESTINATION .
          FILES_MATCHING PATTERN "*.py" PATTERN __pycache__ EXCLUDE)
endif()
get_property(mlir_targets GLOBAL PROPERTY ACC_MLIR_TARGETS)
if(mlir_targets)
  get_property(mlir_package GLOBAL PROPERTY ACC_MLIR_PACKAGE)
  install(TARGETS ${mlir_targets} LIBRARY DESTINATION mlir/_mlir_libs)
  install(DIRECTORY ${mlir_package}/ DESTINATION mlir FILES_MATCHING PATTERN "*.py" PATTERN "*.pyi"
          PATTERN __pycache__ EXCLUDE)
endif()
set_target_properties(acc_runtime PROPERTIES INSTALL_RPATH "$ORIGIN")
install(TARGETS ${installed} LIBRARY DESTINATION _lib RUNTIME DESTINATION _lib)
install(FILES ${CMAKE_SOURCE_DIR}/runtime/include/acc/runtime.h DESTINATION include/acc)
# Bundles take the C example along.
install(FILES ${CMAKE_SOURCE_DIR}/examples/run_model.c DESTINATION examples)

# Functions that processors without some instructions need, such as conversions
# to half precision, are linked into the code of every model.
execute_process(COMMAND ${CMAKE_CXX_COMPILER} --print-libgcc-file-name --rtlib=compiler-rt
                OUTPUT_STRIP_TRAILING_WHITESPACE OUTPUT_VARIABLE ACC_BUILTINS ERROR_QUIET)
if(NOT EXISTS "${ACC_BUILTINS}")
  message(FATAL_ERROR "compiler-rt is missing: install libclang-rt-22-dev")
endif()
set(ACC_BUILTINS_NAME libacc_builtins-${CMAKE_SYSTEM_PROCESSOR}.a)
configure_file("${ACC_BUILTINS}" "${ACC_PYTHON_LIB_DIR}/${ACC_BUILTINS_NAME}" COPYONLY)
install(FILES "${ACC_PYTHON_LIB_DIR}/${ACC_BUILTINS_NAME}" DESTINATION _lib)
install(TARGETS acc_native ARCHIVE DESTINATION _lib)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/hardware/rtl ${CMAKE_SOURCE_DIR}/hardware/sim
        ${CMAKE_SOURCE_DIR}/hardware/synth ${CMAKE_SOURCE_DIR}/hardware/board DESTINATION _hardware)

# What CMake and pkg-config need to build programs with the runtime. Inside a
# wheel everything is found from the place of these files, wherever it is put.
if(SKBUILD)
  set(ACC_CMAKE_INCLUDE_DIR "\${CMAKE_CURRENT_LIST_DIR}/../../../include")
  set(ACC_PKGCONFIG_INCLUDE_DIR "\${pcfiledir}/../../include")
else()
  set(ACC_CMAKE_INCLUDE_DIR ${CMAKE_SOURCE_DIR}/runtime/include)
  set(ACC_PKGCONFIG_INCLUDE_DIR ${CMAKE_SOURCE_DIR}/runtime/include)
endif()
configure_file(cmake/accConfig.cmake.in ${ACC_PYTHON_LIB_DIR}/cmake/acc/accConfig.cmake @ONLY)
include(CMakePackageConfigHelpers)
write_basic_package_version_file(${ACC_PYTHON_LIB_DIR}/cmake/acc/accConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
configure_file(cmake/acc.pc.in ${ACC_PYTHON_LIB_DIR}/pkgconfig/acc.pc @ONLY)
install(DIRECTORY ${ACC_PYTHON_LIB_DIR}/cmake ${ACC_PYTHON_LIB_DIR}/pkgconfig DESTINATION _lib)

# Models are linked by lld, which a machine without LLVM lacks.
if(SKBUILD)
  find_program(ACC_LLD ld.lld PATHS ${LLVM_TOOLS_BINARY_DIR} NO_DEFAULT_PATH)
  if(NOT ACC_LLD)
    message(FATAL_ERROR "the linker ld.lld is missing in ${LLVM_TOOLS_BINARY_DIR}: install lld-22")
  endif()
  file(REAL_PATH ${ACC_LLD} ACC_LLD)
  install(PROGRAMS ${ACC_LLD} DESTINATION _lib RENAME ld.lld)
endif()
