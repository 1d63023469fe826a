# Generates acc.dialects (classes of attributes), acc.passes (functions that make
# passes) and the table behind the former from what TableGen knows.
#
# Sets ACC_DIALECTS, the folders below dialects/; ACC_RECORDS_DIR, where tables
# and the output of TableGen are; ACC_GENERATE, the generator.
set(ACC_GENERATE ${CMAKE_CURRENT_SOURCE_DIR}/generate.py)
set(ACC_RECORDS_DIR ${CMAKE_CURRENT_BINARY_DIR}/records)
set(ACC_GENERATED_PACKAGE ${CMAKE_SOURCE_DIR}/python/acc)
if(SKBUILD)
  set(ACC_GENERATED_PACKAGE ${CMAKE_BINARY_DIR}/generated-package)
endif()
file(MAKE_DIRECTORY ${ACC_RECORDS_DIR})
find_program(ACC_LLVM_TBLGEN llvm-tblgen PATHS ${LLVM_TOOLS_BINARY_DIR} NO_DEFAULT_PATH REQUIRED)
set(generated)

# acc_run_tablegen(<output> <file.td> <command> ...): runs a TableGen, which
# says itself which files it read.
function(acc_run_tablegen output source)
  set(includes -I ${CMAKE_SOURCE_DIR} -I ${CMAKE_BINARY_DIR} -I ${ACC_GENERATED_INCLUDE_DIR})
  foreach(folder ${MLIR_INCLUDE_DIRS})
    list(APPEND includes -I ${folder})
  endforeach()
  cmake_path(GET output FILENAME name)
  set(depfile ${ACC_RECORDS_DIR}/${name}.d)
  get_property(generated_descriptions GLOBAL PROPERTY ACC_TABLEGEN_DEPENDS)
  add_custom_command(OUTPUT ${output} COMMAND ${ARGN} ${includes} ${source} -o ${output} -d ${depfile}
                     DEPENDS ${source} ${generated_descriptions} DEPFILE ${depfile} COMMENT "Generating ${name}")
endfunction()

# Every folder X of dialects/ with XOps.td is a dialect, called as the folder in
# lower case.
set(ACC_DIALECTS)
file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/dialects/*/*Ops.td)
foreach(source ${sources})
  cmake_path(GET source PARENT_PATH folder)
  cmake_path(GET folder FILENAME dialect)
  if(NOT source STREQUAL ${folder}/${dialect}Ops.td)
    continue()
  endif()
  list(APPEND ACC_DIALECTS ${dialect})
  string(TOLOWER ${dialect} name)
  set(records ${ACC_RECORDS_DIR}/${dialect}.json)
  acc_run_tablegen(${records} ${source} ${ACC_LLVM_TBLGEN} -dump-json)
  set(module ${ACC_GENERATED_PACKAGE}/dialects/${name}.py)
  set(table ${ACC_RECORDS_DIR}/${dialect}Attributes.inc)
  add_custom_command(OUTPUT ${module} ${table}
    COMMAND ${Python_EXECUTABLE} ${ACC_GENERATE} dialect ${name} ${records} ${module} ${table}
    DEPENDS ${ACC_GENERATE} ${records} COMMENT "Generating acc.dialects.${name}")
  list(APPEND generated ${module} ${table})
  string(APPEND headers "#include \"dialects/${dialect}/${dialect}Dialect.h\"\n")
  string(APPEND tables "#include \"${dialect}Attributes.inc\"\n")
endforeach()
file(CONFIGURE OUTPUT ${ACC_RECORDS_DIR}/DialectHeaders.inc CONTENT "${headers}" @ONLY)
file(CONFIGURE OUTPUT ${ACC_RECORDS_DIR}/DialectAttributes.inc CONTENT "${tables}" @ONLY)

# Passes of acc are sorted by the word that their names begin with; those of
# upstream that acc's pipelines may want are together.
set(pass_records)
file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/passes/Passes.td)
foreach(source ${sources} ${CMAKE_CURRENT_SOURCE_DIR}/UpstreamPasses.td)
  cmake_path(RELATIVE_PATH source BASE_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE name)
  string(REPLACE "/" "-" name ${name})
  set(records ${ACC_RECORDS_DIR}/${name}.json)
  acc_run_tablegen(${records} ${source} ${ACC_LLVM_TBLGEN} -dump-json)
  list(APPEND pass_records ${records})
endforeach()
set(stamp ${ACC_RECORDS_DIR}/passes.stamp)
add_custom_command(OUTPUT ${stamp}
  COMMAND ${Python_EXECUTABLE} ${ACC_GENERATE} passes ${ACC_GENERATED_PACKAGE}/passes ${pass_records}
  COMMAND ${CMAKE_COMMAND} -E touch ${stamp}
  DEPENDS ${ACC_GENERATE} ${pass_records} COMMENT "Generating acc.passes")

add_custom_target(acc_python_generated ALL DEPENDS ${generated} ${stamp})

# What cmake/AccInstall.cmake puts into a wheel.
set_property(GLOBAL PROPERTY ACC_GENERATED_PACKAGE ${ACC_GENERATED_PACKAGE})
