//===- Devices.cpp - Devices by name, and devices written in Python -------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "acc/devices.h"
#include "../../../runtime/model/Dtypes.h"
#include "Runtime.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

namespace nb = nanobind;
using namespace nb::literals;
using namespace acc;
using namespace acc::python;

//===----------------------------------------------------------------------===//
// Exceptions
//===----------------------------------------------------------------------===//

/// A reference to the exception that is kept, or null.
static thread_local PyObject *raised = nullptr;

/// Takes the exception out of \p error. Up to Python 3.11 one that C code
/// raised is a class and a text until it is asked for.
static nb::object takeException(nb::python_error &error) {
  error.restore();
#if PY_VERSION_HEX >= 0x030C0000
  return nb::steal(PyErr_GetRaisedException());
#else
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  if (traceback)
    PyException_SetTraceback(value, traceback);
  Py_XDECREF(type);
  Py_XDECREF(traceback);
  return nb::steal(value);
#endif
}

std::string Raised::keep(nb::python_error &error) {
  clear();
  raised = takeException(error).release().ptr();
  nb::str name = nb::handle(raised).type().attr("__name__");
  std::string words = name.c_str();
  try {
    // Those of acc speak for themselves.
    nb::object type = nb::module_::import_("acc.errors").attr("AccError");
    std::string text = nb::str(nb::handle(raised)).c_str();
    if (PyObject_IsInstance(raised, type.ptr()) == 1)
      return text;
    words += text.empty() ? "" : ": " + text;
  } catch (nb::python_error &) {
    // Its text cannot be had.
  }
  return words;
}

void Raised::clear() { Py_CLEAR(raised); }

void Raised::raise(const char *errorClass, const std::string &message) {
  if (!raised)
    python::raise(errorClass, message);
  nb::object cause = nb::steal(raised);
  raised = nullptr;
  if (PyObject_IsInstance(cause.ptr(), PyExc_Exception) != 1) {
    PyErr_SetObject(reinterpret_cast<PyObject *>(Py_TYPE(cause.ptr())),
                    cause.ptr());
    throw nb::python_error();
  }
  nb::object type = nb::module_::import_("acc.errors").attr(errorClass);
  nb::object error = type(nb::str(message.c_str(), message.size()));
  PyException_SetCause(error.ptr(), cause.release().ptr());
  PyErr_SetObject(type.ptr(), error.ptr());
  throw nb::python_error();
}

//===----------------------------------------------------------------------===//
// Devices written in Python
//===----------------------------------------------------------------------===//

namespace {

/// An object of Python that may go on any thread.
class Held {
public:
  explicit Held(nb::object object) : object(std::move(object)) {}
  ~Held() {
    // What outlives the interpreter is not given back.
    if (!Py_IsInitialized()) {
      object.release();
      return;
    }
    nb::gil_scoped_acquire acquire;
    object.reset();
  }
  Held(const Held &) = delete;
  Held &operator=(const Held &) = delete;

  nb::object object;
};

struct PythonProgram final : DeviceProgram {
  explicit PythonProgram(nb::object program) : held(std::move(program)) {}
  Held held;
};

nb::object helper(const char *name) {
  return nb::module_::import_("acc.devices").attr(name);
}

/// A device that a class of Python implements (acc.devices.register).
class PythonDevice final : public Device {
public:
  PythonDevice(std::string name, nb::object device)
      : kindName(std::move(name)), held(std::move(device)) {}

  std::string_view name() const override { return kindName; }

  /// Python sees buffers where they are in host memory.
  uint64_t attach(void *host, uint64_t) override {
    return reinterpret_cast<uint64_t>(host);
  }
  void detach(uint64_t) override {}

  std::unique_ptr<DeviceProgram> load(std::string_view bytes,
                                      std::span<const ProgramBuffer> buffers,
                                      const LoadOptions &,
                                      std::string *error) override {
    nb::gil_scoped_acquire acquire;
    try {
      auto program = std::make_unique<PythonProgram>(
          held.object.attr("load")(nb::bytes(bytes.data(), bytes.size())));
      program->buffers.assign(buffers.begin(), buffers.end());
      return program;
    } catch (nb::python_error &raised) {
      if (error)
        *error = "cannot be loaded by device '" + kindName +
                 "': " + Raised::keep(raised);
      return nullptr;
    }
  }

  RunResult run(DeviceProgram &program, std::span<void *const> buffers,
                const RunOptions &options) override {
    RunResult result;
    nb::gil_scoped_acquire acquire;
    try {
      nb::list views;
      for (size_t i = 0; i < buffers.size(); ++i) {
        const ProgramBuffer &buffer = program.buffers[i];
        nb::object memory = nb::steal(PyMemoryView_FromMemory(
            static_cast<char *>(buffers[i]),
            static_cast<Py_ssize_t>(buffer.bytes),
            buffer.isWritten ? PyBUF_WRITE : PyBUF_READ));
        if (!memory.is_valid())
          throw nb::python_error();
        nb::list shape;
        for (int64_t size : buffer.shape)
          shape.append(size);
        views.append(nb::make_tuple(memory, kDtypes[buffer.dtype].name, shape));
      }
      nb::dict wanted;
      wanted["sanitize"] = options.sanitize;
      wanted["events"] = options.events;
      nb::object made = helper("_run")(
          held.object, static_cast<PythonProgram &>(program).held.object, views,
          wanted);
      auto [cycles, counts] =
          nb::cast<std::pair<std::optional<uint64_t>, Counts>>(made);
      result.total = std::move(counts);
      if (cycles)
        result.timing.emplace().cycles = *cycles;
    } catch (nb::python_error &raised) {
      result.message =
          "device '" + kindName + "' raised " + Raised::keep(raised);
    }
    return result;
  }

  void reset() override {}

private:
  std::string kindName;
  Held held;
};

std::unique_ptr<Device> createPython(const std::string &instructionSet,
                                     const std::string &name,
                                     const DeviceOptions &options,
                                     std::string *error) {
  nb::gil_scoped_acquire acquire;
  try {
    nb::dict given;
    for (const auto &[key, text] : options.given)
      given[key.c_str()] = text;
    return std::make_unique<PythonDevice>(
        name, helper("_make")(instructionSet, name, given));
  } catch (nb::python_error &raised) {
    if (error)
      *error = "device '" + name + "' cannot be made: " + Raised::keep(raised);
    return nullptr;
  }
}

/// Lets acc.devices load what is installed besides acc.
std::string findInPython() {
  if (!Py_IsInitialized())
    return "";
  nb::gil_scoped_acquire acquire;
  try {
    return nb::cast<std::string>(helper("_find")());
  } catch (nb::python_error &raised) {
    return Raised::keep(raised);
  }
}

} // namespace

DeviceOptions::Texts acc::python::toTexts(nb::handle options) {
  DeviceOptions::Texts texts;
  for (auto [key, value] : nb::cast<nb::dict>(options)) {
    nb::object plain = nb::isinstance<bool>(value)
                           ? nb::object(nb::int_(nb::cast<bool>(value) ? 1 : 0))
                           : nb::borrow(value);
    nb::str text = nb::str(plain);
    texts[nb::cast<std::string>(key)] = text.c_str();
  }
  return texts;
}

void acc::python::registerDevices(nb::module_ &m) {
  nb::class_<DeviceOption>(m, "DeviceOption", "An option of a device.")
      .def_static("number", &DeviceOption::makeNumber, "name"_a, "help"_a,
                  "initial"_a, "least"_a, "most"_a)
      .def_static("text", &DeviceOption::makeText, "name"_a, "help"_a)
      .def_ro("name", &DeviceOption::name)
      .def_ro("help", &DeviceOption::help)
      .def_prop_ro("is_number",
                   [](const DeviceOption &option) {
                     return option.kind == DeviceOption::Kind::Number;
                   })
      .def_ro("initial", &DeviceOption::number,
              "The value of a number that is not given.");
  nb::class_<DeviceKind>(m, "DeviceKind", "A kind of device.")
      .def_ro("instruction_set", &DeviceKind::instructionSet)
      .def_ro("name", &DeviceKind::name)
      .def_ro("summary", &DeviceKind::summary)
      .def_ro("capabilities", &DeviceKind::capabilities)
      .def_ro("options", &DeviceKind::options);
  m.def("device_kinds", &deviceKinds,
        "All kinds of device, by instruction set; the first of each is its "
        "default.");
  m.def(
      "register_device",
      [](const std::string &instructionSet, const std::string &name,
         const std::string &summary,
         const std::vector<std::string> &capabilities,
         const std::vector<DeviceOption> &options) {
        auto create = [instructionSet, name](const DeviceOptions &given,
                                             std::string_view,
                                             std::string *error) {
          return createPython(instructionSet, name, given, error);
        };
        acc::registerDevice(
            {instructionSet, name, summary, capabilities, options, create});
      },
      "instruction_set"_a, "name"_a, "summary"_a, "capabilities"_a, "options"_a,
      "Makes a device known that acc.devices makes.");
  m.def(
      "check_device_options",
      [](const std::string &device, const std::vector<DeviceOption> &known,
         nb::dict given) {
        std::string error;
        if (!DeviceOptions::check(device, known, toTexts(given), &error))
          raise("RunError", error);
      },
      "device"_a, "known"_a, "given"_a,
      "Raises RunError if an option is not known or out of range.");
  m.def(
      "parse_devices",
      [](const std::string &text) {
        std::string error;
        auto specs = DeviceSpec::parse(text, &error);
        if (!specs)
          raise("RunError", error);
        nb::list result;
        for (const DeviceSpec &spec : *specs) {
          nb::dict options;
          for (const auto &[name, value] : spec.options)
            options[name.c_str()] = value;
          result.append(
              nb::make_tuple(spec.instructionSet, spec.name, options));
        }
        return result;
      },
      "text"_a,
      "(instruction set or '', name, options) of each device in a text; raises "
      "RunError if it is malformed.");
  m.def("first_instruction_set", &firstInstructionSet,
        "The instruction set of programs in files that do not say.");
  setDeviceFinder(findInPython);
}
