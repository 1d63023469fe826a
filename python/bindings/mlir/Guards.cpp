//===- Guards.cpp - Values and blocks of erased operations ----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Guards.h"

#include "mlir/Bindings/Python/IRCore.h"

#include <array>

#include <structmember.h>

namespace nb = nanobind;
using namespace mlir::python::acc_mlir;

namespace {

/// A method or accessor behind a question. Reading the type of a value is among
/// the most frequent calls there are, so this is a type of the C interface of
/// Python, which adds some nanoseconds, not a function of nanobind.
struct Guard {
  PyObject_HEAD vectorcallfunc vectorcall;
  PyObject *guarded;
  PyTypeObject *owner;
  /// Throws if the object's operation is no longer valid.
  void (*check)(PyObject *object);
};

PyObject *call(PyObject *self, PyObject *const *arguments, size_t count,
               PyObject *names) {
  auto *guard = reinterpret_cast<Guard *>(self);
  if (PyVectorcall_NARGS(count) > 0 &&
      PyObject_TypeCheck(arguments[0], guard->owner)) {
    try {
      guard->check(arguments[0]);
    } catch (const std::exception &error) {
      PyErr_SetString(PyExc_RuntimeError, error.what());
      return nullptr;
    }
  }
  return PyObject_Vectorcall(guard->guarded, arguments, count, names);
}

/// Binds a method to an object, as functions are.
PyObject *bind(PyObject *self, PyObject *object, PyObject *) {
  return object ? PyMethod_New(self, object) : Py_NewRef(self);
}

/// What a guard does not have itself, such as its documentation, is that of
/// the method.
PyObject *getAttribute(PyObject *self, PyObject *name) {
  if (PyUnicode_CompareWithASCIIString(name, "__class__") == 0)
    return PyObject_GenericGetAttr(self, name);
  return PyObject_GetAttr(reinterpret_cast<Guard *>(self)->guarded, name);
}

void deallocate(PyObject *self) {
  PyTypeObject *type = Py_TYPE(self);
  Py_DECREF(reinterpret_cast<Guard *>(self)->guarded);
  type->tp_free(self);
  Py_DECREF(type);
}

PyMemberDef members[] = {{"__vectorcalloffset__", T_PYSSIZET,
                          offsetof(Guard, vectorcall), READONLY, nullptr},
                         {nullptr, 0, 0, 0, nullptr}};

PyType_Slot slots[] = {
    {Py_tp_call, reinterpret_cast<void *>(PyVectorcall_Call)},
    {Py_tp_descr_get, reinterpret_cast<void *>(bind)},
    {Py_tp_getattro, reinterpret_cast<void *>(getAttribute)},
    {Py_tp_dealloc, reinterpret_cast<void *>(deallocate)},
    {Py_tp_members, members},
    {0, nullptr}};

PyType_Spec spec = {"acc.mlir._mlir_libs._acc.Guard", sizeof(Guard), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL |
                        Py_TPFLAGS_METHOD_DESCRIPTOR |
                        Py_TPFLAGS_DISALLOW_INSTANTIATION,
                    slots};

nb::object guard(nb::handle guarded, nb::handle owner,
                 void (*check)(PyObject *)) {
  static auto *type = reinterpret_cast<PyTypeObject *>(PyType_FromSpec(&spec));
  Guard *made = type ? PyObject_New(Guard, type) : nullptr;
  if (!made)
    throw nb::python_error();
  made->vectorcall = call;
  made->guarded = guarded.inc_ref().ptr();
  made->owner = reinterpret_cast<PyTypeObject *>(owner.ptr());
  made->check = check;
  return nb::steal(reinterpret_cast<PyObject *>(made));
}

/// Guards a method or an accessor of a class.
void guardMember(nb::handle type, nb::handle name, nb::handle member,
                 void (*check)(PyObject *)) {
  auto guarded = [&](const char *accessor) -> nb::object {
    nb::object function = member.attr(accessor);
    return function.is_none() ? function : guard(function, type, check);
  };
  if (Py_IS_TYPE(member.ptr(), &PyProperty_Type))
    nb::setattr(type, name,
                nb::borrow(reinterpret_cast<PyObject *>(&PyProperty_Type))(
                    guarded("fget"), guarded("fset"), nb::none(),
                    nb::getattr(member, "__doc__", nb::none())));
  else if (nb::type_name(member.type()).equal(nb::str("nanobind.nb_method")))
    nb::setattr(type, name, guard(member, type, check));
}

/// Guards what a class itself defines.
void guardClass(nb::handle type, void (*check)(PyObject *)) {
  // These do not touch the IR, or make an object.
  static constexpr std::array untouched = {
      "__init__", "__new__",     "__eq__",    "__ne__",
      "__hash__", "_CAPICreate", "isinstance"};
  nb::dict members = nb::borrow<nb::dict>(type.attr("__dict__").attr("copy")());
  for (auto [name, member] : members)
    if (!llvm::is_contained(untouched, nb::cast<std::string_view>(name)))
      guardMember(type, name, member, check);
}

} // namespace

void acc::python::installGuards(nb::handle ir) {
  auto ofValue = [](PyObject *object) {
    nb::inst_ptr<PyValue>(object)->getParentOperation()->checkValid();
  };
  for (const char *name : {"Value", "OpResult", "BlockArgument"})
    guardClass(ir.attr(name), ofValue);
  guardClass(ir.attr("Block"), [](PyObject *object) {
    nb::inst_ptr<PyBlock>(object)->getParentOperation()->checkValid();
  });
  guardClass(ir.attr("Region"), [](PyObject *object) {
    nb::inst_ptr<PyRegion>(object)->getParentOperation()->checkValid();
  });
  // Of the methods of operations, only this one does not ask.
  nb::object operation = ir.attr("_OperationBase");
  guardMember(
      operation, nb::str("clone"), operation.attr("clone"),
      [](PyObject *object) {
        nb::inst_ptr<PyOperationBase>(object)->getOperation().checkValid();
      });
}
