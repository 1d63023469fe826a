#include "Model.h"

#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace acc;

Image::Image(std::string_view bytes, const std::string &path) {
  auto fail = [&](acc_status status, const std::string &reason) {
    if (handle)
      ::dlclose(handle);
    if (fd >= 0)
      ::close(fd);
    throw ModelError(status,
                     "cannot load the code of '" + path + "': " + reason);
  };
  fd = ::memfd_create("acc-model", MFD_CLOEXEC);
  if (fd < 0)
    fail(ACC_ERROR_MEMORY, std::strerror(errno));
  for (std::string_view rest = bytes; !rest.empty();) {
    ssize_t written = ::write(fd, rest.data(), rest.size());
    if (written <= 0)
      fail(ACC_ERROR_MEMORY, std::strerror(errno));
    rest.remove_prefix(static_cast<size_t>(written));
  }
  // The loader knows images by name, and names come from descriptors: this
  // one stays open as long as the image is loaded, so that no other model can
  // have its name.
  std::string name = "/proc/self/fd/" + std::to_string(fd);
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
