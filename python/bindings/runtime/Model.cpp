#include "../../../runtime/model/Checksum.h"
#include "../../../runtime/model/Dtypes.h"
#include "../../../runtime/threads/ThreadPool.h"
#include "Runtime.h"
#include "acc/runtime.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <memory>
#include <utility>

namespace nb = nanobind;
using namespace nb::literals;
using namespace acc::python;

namespace {

/// A contiguous buffer of a Python object, held as long as this lives.
class BufferView {
public:
  BufferView(nb::handle object, bool writable) {
    int flags = PyBUF_C_CONTIGUOUS | (writable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object.ptr(), &view, flags))
      throw nb::python_error();
  }
  ~BufferView() { PyBuffer_Release(&view); }
  BufferView(const BufferView &) = delete;
  BufferView &operator=(const BufferView &) = delete;

  void *data() const { return view.buf; }
  size_t size() const { return static_cast<size_t>(view.len); }

private:
  Py_buffer view;
};

using Buffers = std::vector<std::unique_ptr<BufferView>>;
using Tensor = std::tuple<std::string, std::string, nb::list>;
using Bytes = nb::ndarray<nb::numpy, uint8_t, nb::ndim<1>>;

using acc::kDtypes;

/// Where the outputs of one run go: buffers of Python where there are some,
/// fresh memory otherwise.
struct Outputs {
  std::vector<void *> given;
  struct Made {
    std::unique_ptr<void, decltype(&std::free)> memory{nullptr, &std::free};
    size_t bytes = 0;
    std::vector<int64_t> dims;
  };
  std::vector<Made> made;

  static void *place(void *user, int32_t index, const acc_tensor_info *info) {
    auto *self = static_cast<Outputs *>(user);
    Made &made = self->made[static_cast<size_t>(index)];
    made.dims.assign(info->dims, info->dims + info->rank);
    if (void *memory = self->given[static_cast<size_t>(index)])
      return memory;
    made.bytes = info->bytes;
    // Null is left to the model, which reports that there is no memory.
    constexpr size_t alignment = 64;
    made.memory.reset(std::aligned_alloc(
        alignment, (info->bytes / alignment + 1) * alignment));
    return made.memory.get();
  }
};

/// A loaded model, through the same interface that C programs use.
class PyModel {
public:
  PyModel(const std::string &path, const std::string &device, bool verify,
          bool sanitize, int profile, nb::object onLaunch, int32_t threads)
      : onLaunch(std::move(onLaunch)) {
    acc_model_options options = {};
    if (!this->onLaunch.is_none()) {
      options.launch = &PyModel::tellLaunch;
      options.launch_user = this;
    }
    options.size = sizeof(options);
    options.device = device.c_str();
    options.skip_verification = !verify;
    options.sanitize = sanitize;
    options.profile = profile;
    options.threads = threads;
    acc_status status;
    Raised::clear();
    {
      nb::gil_scoped_release release;
      status = acc_model_load(path.c_str(), &options, &model);
    }
    if (status)
      Raised::raise(status == ACC_ERROR_DEVICE || status == ACC_ERROR_ARGUMENT
                        ? "RunError"
                        : "ModelFileError",
                    acc_last_error());
  }
  ~PyModel() { acc_model_free(model); }
  PyModel(const PyModel &) = delete;
  PyModel &operator=(const PyModel &) = delete;

  std::vector<Tensor> tensors(bool inputs) const {
    std::vector<Tensor> result;
    int32_t count =
        inputs ? acc_model_num_inputs(model) : acc_model_num_outputs(model);
    for (int32_t i = 0; i < count; ++i) {
      acc_tensor_info info = tensor(inputs, i);
      nb::list shape;
      for (int32_t d = 0; d < info.rank; ++d) {
        const char *symbol = inputs ? acc_model_input_symbol(model, i, d)
                                    : acc_model_output_symbol(model, i, d);
        if (info.dims[d] >= 0)
          shape.append(info.dims[d]);
        else
          shape.append(symbol ? symbol : "?");
      }
      result.emplace_back(info.name, kDtypes[info.dtype].name, shape);
    }
    return result;
  }

  /// The bytes and sizes of every output that `outputs` has None for.
  nb::list run(const std::vector<nb::object> &inputs,
               const std::vector<std::vector<int64_t>> &shapes,
               const std::vector<nb::object> &outputs) {
    Buffers held;
    std::vector<const void *> from;
    std::vector<const int64_t *> dims;
    if (shapes.size() != inputs.size())
      throw nb::value_error("one shape is needed per input");
    for (const auto &shape : shapes)
      dims.push_back(shape.data());
    for (void *data : hold(inputs, true, held, &shapes))
      from.push_back(data);
    Outputs to;
    to.given = hold(outputs, false, held, nullptr);
    to.made.resize(outputs.size());
    acc_status status;
    Raised::clear();
    {
      nb::gil_scoped_release release;
      status = acc_model_run_shapes(model, from.data(), dims.data(),
                                    &Outputs::place, &to);
    }
    if (failure)
      std::rethrow_exception(std::exchange(failure, nullptr));
    if (status)
      Raised::raise("RunError", acc_last_error());
    nb::list results;
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (to.given[i])
        continue;
      size_t bytes = to.made[i].bytes;
      void *memory = to.made[i].memory.release();
      nb::capsule owner(memory, [](void *p) noexcept { std::free(p); });
      results.append(
          nb::make_tuple(Bytes(memory, {bytes}, owner), to.made[i].dims));
    }
    return results;
  }

  int32_t threads() const { return acc_model_threads(model); }
  void setThreads(int32_t threads) {
    if (acc_model_set_threads(model, threads))
      Raised::raise("RunError", acc_last_error());
  }

  std::string metadata() const { return acc_model_metadata(model); }
  std::string statistics() {
    // A run that is under way may need Python before it lets go of the model.
    nb::gil_scoped_release release;
    return acc_model_statistics(model);
  }

private:
  /// Calls the Python function with the buffers as bytes.
  static void tellLaunch(void *user, int32_t program, int32_t after,
                         const acc_buffer *buffers, int32_t count) {
    auto *self = static_cast<PyModel *>(user);
    nb::gil_scoped_acquire acquire;
    // The runtime cannot be unwound: what is raised waits for the run's end.
    if (self->failure)
      return;
    try {
      nb::list contents;
      for (int32_t i = 0; i < count; ++i)
        contents.append(nb::bytes(buffers[i].data, buffers[i].bytes));
      self->onLaunch(program, after != 0, contents);
    } catch (...) {
      self->failure = std::current_exception();
    }
  }

  acc_tensor_info tensor(bool inputs, int32_t index) const {
    acc_tensor_info info = {};
    if (inputs)
      acc_model_input(model, index, &info);
    else
      acc_model_output(model, index, &info);
    return info;
  }

  /// None for an output is null. Inputs have the sizes of `shapes`.
  std::vector<void *>
  hold(const std::vector<nb::object> &objects, bool inputs, Buffers &held,
       const std::vector<std::vector<int64_t>> *shapes) const {
    size_t count = static_cast<size_t>(inputs ? acc_model_num_inputs(model)
                                              : acc_model_num_outputs(model));
    if (objects.size() != count)
      throw nb::value_error("one buffer is needed per input and output");
    std::vector<void *> pointers;
    for (size_t i = 0; i < count; ++i) {
      acc_tensor_info info = tensor(inputs, static_cast<int32_t>(i));
      if (objects[i].is_none() && !inputs && !isFixed(info)) {
        pointers.push_back(nullptr);
        continue;
      }
      size_t bytes = info.bytes;
      if (shapes && !isFixed(info)) {
        bytes = kDtypes[info.dtype].bytes;
        for (int64_t size : (*shapes)[i])
          bytes *= static_cast<size_t>(size);
      }
      if (shapes && (*shapes)[i].size() != static_cast<size_t>(info.rank))
        throw nb::value_error("a shape has the wrong rank");
      held.push_back(std::make_unique<BufferView>(objects[i], !inputs));
      if (held.back()->size() != bytes)
        throw nb::value_error("a buffer has the wrong size");
      pointers.push_back(held.back()->data());
    }
    return pointers;
  }

  static bool isFixed(const acc_tensor_info &info) {
    return std::find(info.dims, info.dims + info.rank, -1) ==
           info.dims + info.rank;
  }

  nb::object onLaunch;
  std::exception_ptr failure;
  acc_model *model = nullptr;
};

} // namespace

void acc::python::registerModel(nb::module_ &m) {
  m.def(
      "crc32c",
      [](nb::handle data, uint32_t before) {
        BufferView view(data, false);
        nb::gil_scoped_release release;
        return crc32c(view.data(), view.size(), before);
      },
      "data"_a, "before"_a = 0,
      "CRC-32C of a buffer, continuing that of the bytes before it.");
  m.attr("MOST_THREADS") = ACC_MOST_THREADS;
  m.def("usable_cores", &usableCores,
        "The cores that the process may use: those of its affinity, or fewer "
        "where its control group has a quota.");
  nb::class_<PyModel>(m, "Model", "A compiled model, loaded from its file.")
      .def(nb::init<const std::string &, const std::string &, bool, bool, int,
                    nb::object, int32_t>(),
           "path"_a, "device"_a = "", "verify"_a = true, "sanitize"_a = false,
           "profile"_a = 0, "on_launch"_a = nb::none(), "threads"_a = 0,
           "Loads a file. `device` is as in acc_model_options. `on_launch` is "
           "called before and after every launch "
           "of an accelerator program: (program, after, buffers as bytes).")
      .def_prop_ro(
          "inputs", [](const PyModel &self) { return self.tensors(true); },
          "(name, dtype, shape) each.")
      .def_prop_ro("outputs",
                   [](const PyModel &self) { return self.tensors(false); })
      .def("run", &PyModel::run, "inputs"_a, "shapes"_a, "outputs"_a,
           "Runs once on contiguous buffers, in order. None stands for an "
           "output whose size is not fixed: bytes and shape of each of these "
           "are returned.")
      .def_prop_rw("threads", &PyModel::threads, &PyModel::setThreads,
                   "How many threads native code uses, from the next run on.")
      .def_prop_ro("metadata", &PyModel::metadata)
      .def_prop_ro("statistics", &PyModel::statistics);
}
