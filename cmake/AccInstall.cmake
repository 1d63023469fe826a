# What a wheel holds beside the Python sources: native modules, libraries and
# tools in acc/_lib, and the runtime's C header in acc/include.
set(installed acc acc_runtime acc-opt acc-translate acc-lsp-server)
if(ACC_ENABLE_PYTHON)
  list(APPEND installed _mlir _runtime)
endif()
set_target_properties(acc_runtime PROPERTIES INSTALL_RPATH "$ORIGIN")
install(TARGETS ${installed} LIBRARY DESTINATION _lib RUNTIME DESTINATION _lib)
install(FILES ${CMAKE_SOURCE_DIR}/runtime/include/acc/runtime.h DESTINATION include/acc)
