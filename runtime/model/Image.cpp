#include "Model.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace acc;

/// A file for the code: one in memory, or in the folder that ACC_IMAGES names,
/// where it stays, for debuggers and profilers that look for symbols there.
int Image::openFile() {
  const char *folder = ::secure_getenv("ACC_IMAGES");
  if (!folder || !*folder)
    return ::memfd_create("acc-model", MFD_CLOEXEC);
  std::string pattern = std::string(folder) + "/acc-model-XXXXXX.so";
  int opened = ::mkostemps(pattern.data(), 3, O_CLOEXEC);
  if (opened >= 0)
    file = pattern;
  return opened;
}

Image::Image(std::string_view bytes, const std::string &path) {
  auto fail = [&](acc_status status, const std::string &reason) {
    if (handle)
      ::dlclose(handle);
    if (fd >= 0)
      ::close(fd);
    if (!file.empty())
      ::unlink(file.c_str());
    throw ModelError(status,
                     "cannot load the code of '" + path + "': " + reason);
  };
  fd = openFile();
  if (fd < 0) {
    std::string reason = std::strerror(errno);
    const char *folder = ::secure_getenv("ACC_IMAGES");
    if (folder && *folder)
      fail(ACC_ERROR_ARGUMENT, "ACC_IMAGES=" + std::string(folder) +
                                   " is no folder for it: " + reason);
    fail(ACC_ERROR_MEMORY, reason);
  }
  for (std::string_view rest = bytes; !rest.empty();) {
    ssize_t written = ::write(fd, rest.data(), rest.size());
    if (written <= 0)
      fail(ACC_ERROR_MEMORY, std::strerror(errno));
    rest.remove_prefix(static_cast<size_t>(written));
  }
  // The loader knows images by name, and names come from descriptors: this
  // one stays open as long as the image is loaded, so that no other model can
  // have its name.
  std::string name =
      file.empty() ? "/proc/self/fd/" + std::to_string(fd) : file;
  handle = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *reason = ::dlerror();
    fail(ACC_ERROR_FORMAT, reason ? reason : "unknown");
  }
  entry =
      reinterpret_cast<acc_model_main_fn *>(::dlsym(handle, ACC_MODEL_MAIN));
  if (!entry)
    fail(ACC_ERROR_FORMAT, "it does not export " ACC_MODEL_MAIN);
}

Image::~Image() {
  ::dlclose(handle);
  ::close(fd);
}
