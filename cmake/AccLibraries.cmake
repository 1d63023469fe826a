# How dialects, passes and tools are built.
#
# All of them become object libraries of one shared library, libacc.so, which
# is also the plugin that the stock mlir-opt loads. Only the targets MLIR and
# LLVM (the two shared libraries) are ever linked: any other MLIR* target would
# drag in static archives and duplicate their state.

set(ACC_INCLUDE_DIRS ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}
    ${CMAKE_SOURCE_DIR}/runtime/include ${ACC_GENERATED_INCLUDE_DIR})
set_property(GLOBAL PROPERTY ACC_OBJECT_LIBRARIES "")

# One precompiled header serves every target; a pass then compiles in two
# seconds instead of twelve.
add_library(acc_pch OBJECT ${CMAKE_SOURCE_DIR}/cmake/pch.cpp)
# In brackets, because CMake would write the path of this checkout otherwise.
target_precompile_headers(acc_pch PRIVATE <cmake/pch.h>)
target_include_directories(acc_pch SYSTEM PRIVATE ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS})
target_include_directories(acc_pch PRIVATE ${ACC_INCLUDE_DIRS})

# acc_checksum_of_pch(<target> <header> <version> ...): writes what ccache
# compares in place of a precompiled header: its source, which must include
# nothing of this repository, and the versions of what it includes.
function(acc_checksum_of_pch target header)
  file(SHA256 ${header} source)
  list(TRANSFORM ARGN PREPEND " " OUTPUT_VARIABLE versions)
  list(JOIN versions "" versions)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${header})
  file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/${target}.dir/cmake_pch.hxx.pch.sum
       "${source} ${LLVM_PACKAGE_VERSION} ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION} "
       "${CMAKE_BUILD_TYPE} ${CMAKE_CXX_FLAGS}${versions}\n")
endfunction()
acc_checksum_of_pch(acc_pch ${CMAKE_SOURCE_DIR}/cmake/pch.h)

function(acc_configure_target name)
  target_include_directories(${name} SYSTEM PRIVATE ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS})
  target_include_directories(${name} PRIVATE ${ACC_INCLUDE_DIRS})
  target_precompile_headers(${name} REUSE_FROM acc_pch)
  get_property(tablegen GLOBAL PROPERTY ACC_TABLEGEN_TARGETS)
  if(tablegen)
    add_dependencies(${name} ${tablegen})
  endif()
endfunction()

# acc_add_tablegen(<target> <file.td> <output> <generator flags> ...): one
# tablegen target; outputs and flags alternate, flags are ;-lists in quotes.
function(acc_add_tablegen name source)
  set(LLVM_TARGET_DEFINITIONS ${source})
  # Some descriptions include what is made of those of instruction sets.
  get_property(LLVM_TARGET_DEPENDS GLOBAL PROPERTY ACC_TABLEGEN_DEPENDS)
  set(arguments ${ARGN})
  while(arguments)
    list(POP_FRONT arguments output flags)
    separate_arguments(flags UNIX_COMMAND "${flags}")
    mlir_tablegen(${output} ${flags} EXTRA_INCLUDES ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}
                  ${ACC_GENERATED_INCLUDE_DIR} ${MLIR_INCLUDE_DIRS})
  endwhile()
  add_custom_target(${name} DEPENDS ${TABLEGEN_OUTPUT})
  set_property(GLOBAL APPEND PROPERTY ACC_TABLEGEN_TARGETS ${name})
endfunction()

# The objects of one dialect or one family of passes: every .cpp of the folder.
function(acc_add_objects name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_library(${name} OBJECT ${sources})
  acc_configure_target(${name})
  set_property(GLOBAL APPEND PROPERTY ACC_OBJECT_LIBRARIES ${name})
endfunction()

function(acc_add_plugin_library)
  get_property(libraries GLOBAL PROPERTY ACC_OBJECT_LIBRARIES)
  set(objects)
  foreach(library ${libraries})
    list(APPEND objects $<TARGET_OBJECTS:${library}>)
  endforeach()
  add_library(acc SHARED ${objects})
  set_target_properties(acc PROPERTIES LINKER_LANGUAGE CXX
      INSTALL_RPATH "$ORIGIN;/usr/lib/llvm-22/lib")
  target_link_libraries(acc PRIVATE acc_isa MLIR LLVM)
endfunction()

function(acc_add_tool name)
  add_executable(${name} ${ARGN})
  acc_configure_target(${name})
  # A position-independent executable rejects the position-independent
  # precompiled header, hence -fPIC by hand and the property off.
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF
      INSTALL_RPATH "$ORIGIN;/usr/lib/llvm-22/lib")
  target_compile_options(${name} PRIVATE -fPIC)
  target_link_options(${name} PRIVATE -no-pie)
  target_link_libraries(${name} PRIVATE acc MLIR LLVM)
endfunction()
