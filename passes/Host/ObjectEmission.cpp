//===- ObjectEmission.cpp - From LLVM dialect to object code --------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Host/ObjectEmission.h"

#include "passes/Host/CodeParts.h"

#include "mlir/IR/Threading.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/RISCVISAInfo.h"
#include "llvm/Transforms/Scalar/InstSimplifyPass.h"

using namespace mlir;
using namespace acc::host;

std::string acc::host::hostCpu() { return llvm::sys::getHostCPUName().str(); }

static void initializeTargets() {
  static const bool once = [] {
    llvm::InitializeAllTargetInfos();
    llvm::InitializeAllTargets();
    llvm::InitializeAllTargetMCs();
    llvm::InitializeAllAsmPrinters();
    return true;
  }();
  (void)once;
}

/// LLVM prints a warning and goes on when it does not know a feature.
static bool knowsFeatures(const llvm::MCSubtargetInfo &info,
                          const std::string &triple, StringRef features,
                          std::string &error) {
  SmallVector<StringRef> names;
  features.split(names, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (StringRef name : names) {
    bool isSwitch = name.consume_front("+") || name.consume_front("-");
    if (isSwitch && llvm::any_of(info.getAllProcessorFeatures(),
                                 [&](const llvm::SubtargetFeatureKV &known) {
                                   return name == known.Key;
                                 }))
      continue;
    error = ("unknown processor feature '" + name + "' for " + triple +
             ": features are written as \"+avx2,-avx512f\"")
                .str();
    return false;
  }
  return true;
}

/// As Debian names it, without a vendor.
static std::string nativeTriple(const llvm::Triple &triple) {
  return (llvm::Triple::getArchTypeName(triple.getArch()) + "-linux-gnu").str();
}

namespace {

/// What models are made for of an architecture: Linux with glibc, whose ABI
/// wants some features.
struct Architecture {
  llvm::Triple::ArchType type;
  /// Has to be there, as LLVM names it, for addresses of 64 bits and for
  /// floats in registers.
  ArrayRef<StringRef> needed;
  /// What "generic" is beyond LLVM's: what distributions are compiled for.
  StringRef generic;
  /// The name of the ABI, where there are several.
  StringRef abi;
};

constexpr StringRef kX86Needs[] = {"64bit", "sse2"};
constexpr StringRef kAArch64Needs[] = {"neon"};
constexpr StringRef kRiscvNeeds[] = {"64bit", "d"};

const Architecture kArchitectures[] = {
    {llvm::Triple::x86_64, kX86Needs, "", ""},
    {llvm::Triple::aarch64, kAArch64Needs, "", ""},
    {llvm::Triple::riscv64, kRiscvNeeds, "+m,+a,+f,+d,+c", "lp64d"},
};

/// A processor, checked: everything LLVM would stop the process or print
/// warnings for is an error before.
struct CheckedTarget {
  const llvm::Target *backend = nullptr;
  const Architecture *architecture = nullptr;
  llvm::Triple triple;
  std::string cpu, features;
};

} // namespace

static const Architecture *findArchitecture(const llvm::Triple &triple) {
  const auto *found =
      llvm::find_if(kArchitectures, [&](const Architecture &known) {
        return known.type == triple.getArch();
      });
  return found == std::end(kArchitectures) ? nullptr : found;
}

/// "x86_64-linux-gnu, aarch64-linux-gnu, ..."
static std::string supportedTriples() {
  return llvm::join(
      llvm::map_range(kArchitectures,
                      [](const Architecture &known) {
                        return (llvm::Triple::getArchTypeName(known.type) +
                                "-linux-gnu")
                            .str();
                      }),
      ", ");
}

/// Why no code is made for a triple; empty if it is.
static std::string refuse(const llvm::Triple &triple, StringRef written) {
  std::string name = ("'" + written + "' ").str();
  std::string remedy = ": models are made for " + supportedTriples();
  if (triple.getArch() == llvm::Triple::UnknownArch)
    return name + "is no triple that LLVM knows" + remedy;
  if (!triple.isArch64Bit())
    return name + "has no addresses of 64 bits" + remedy;
  if (!triple.isLittleEndian())
    return name + "is big-endian" + remedy;
  if (!findArchitecture(triple))
    return name + "is an architecture without native code" + remedy;
  if (triple.getOS() != llvm::Triple::Linux ||
      !(triple.getEnvironment() == llvm::Triple::GNU ||
        triple.getEnvironment() == llvm::Triple::UnknownEnvironment))
    return name + "is not Linux with glibc" + remedy;
  return "";
}

static bool has(const llvm::MCSubtargetInfo &info, StringRef feature) {
  return info.checkFeatures(("+" + feature).str());
}

/// The processors of an architecture that its ABI can be used with.
static std::string knownProcessors(const CheckedTarget &target,
                                   const llvm::MCSubtargetInfo &info) {
  std::vector<std::string> names;
  for (const llvm::SubtargetSubTypeKV &known :
       info.getAllProcessorDescriptions()) {
    std::unique_ptr<llvm::MCSubtargetInfo> own(
        target.backend->createMCSubtargetInfo(target.triple, known.Key, ""));
    if (llvm::all_of(target.architecture->needed,
                     [&](StringRef feature) { return has(*own, feature); }))
      names.push_back(known.Key);
  }
  names.push_back("generic");
  llvm::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return llvm::join(names, ", ");
}

/// Of RISC-V some features want others, or exclude each other.
static std::string findConflict(const llvm::MCSubtargetInfo &info,
                                const llvm::Triple &triple) {
  if (!triple.isRISCV())
    return "";
  std::vector<std::string> extensions;
  for (const llvm::SubtargetFeatureKV &feature :
       info.getEnabledProcessorFeatures())
    if (llvm::RISCVISAInfo::isSupportedExtensionFeature(feature.Key))
      extensions.push_back(("+" + StringRef(feature.Key)).str());
  auto parsed = llvm::RISCVISAInfo::parseFeatures(64, extensions);
  return parsed ? "" : llvm::toString(parsed.takeError());
}

static FailureOr<CheckedTarget> check(const ObjectTarget &target,
                                      std::string &error) {
  initializeTargets();
  llvm::Triple own(llvm::sys::getDefaultTargetTriple());
  CheckedTarget checked;
  checked.triple = llvm::Triple(target.triple.empty()
                                    ? own.str()
                                    : llvm::Triple::normalize(target.triple));
  error =
      refuse(checked.triple, target.triple.empty() ? own.str() : target.triple);
  if (!error.empty())
    return failure();
  checked.architecture = findArchitecture(checked.triple);
  // Distributions have names of their own for the vendor.
  checked.triple.setVendor(llvm::Triple::UnknownVendor);
  checked.triple.setEnvironment(llvm::Triple::GNU);
  checked.backend = llvm::TargetRegistry::lookupTarget(checked.triple, error);
  if (!checked.backend)
    return failure();
  std::string name = nativeTriple(checked.triple);

  checked.cpu = target.cpu;
  SmallVector<std::string> features;
  if (target.cpu == "native" && own.getArch() == checked.triple.getArch()) {
    checked.cpu = hostCpu();
    for (const auto &feature : llvm::sys::getHostCPUFeatures())
      features.push_back(
          ((feature.second ? "+" : "-") + feature.first()).str());
  } else if (target.cpu == "native" || target.cpu == "generic") {
    checked.cpu = "generic";
    if (!checked.architecture->generic.empty())
      features.push_back(checked.architecture->generic.str());
  }
  if (!target.features.empty())
    features.push_back(target.features);
  checked.features = llvm::join(features, ",");

  std::unique_ptr<llvm::MCSubtargetInfo> info(
      checked.backend->createMCSubtargetInfo(checked.triple, "", ""));
  if (!info || !info->isCPUStringValid(checked.cpu)) {
    error = "unknown processor '" + checked.cpu + "' for " + name;
    if (info)
      error += ": there are " + knownProcessors(checked, *info);
    return failure();
  }
  if (!knowsFeatures(*info, name, target.features, error))
    return failure();
  info.reset(checked.backend->createMCSubtargetInfo(checked.triple, checked.cpu,
                                                    checked.features));
  for (StringRef feature : checked.architecture->needed)
    if (!has(*info, feature)) {
      error = ("processor '" + checked.cpu + "' lacks '" + feature +
               "', which " + name + " cannot be without" +
               (target.features.empty() ? "" : ", with these features"))
                  .str();
      return failure();
    }
  if (std::string conflict = findConflict(*info, checked.triple);
      !conflict.empty()) {
    error = "features of processor '" + checked.cpu + "' for " + name +
            " do not fit together: " + conflict;
    return failure();
  }
  return checked;
}

static std::unique_ptr<llvm::TargetMachine>
createMachine(const ObjectTarget &target, std::string &error) {
  FailureOr<CheckedTarget> checked = check(target, error);
  if (failed(checked))
    return nullptr;
  llvm::CodeGenOptLevel levels[] = {
      llvm::CodeGenOptLevel::None, llvm::CodeGenOptLevel::Less,
      llvm::CodeGenOptLevel::Default, llvm::CodeGenOptLevel::Aggressive};
  llvm::TargetOptions options;
  options.MCOptions.ABIName = checked->architecture->abi.str();
  return std::unique_ptr<llvm::TargetMachine>(
      checked->backend->createTargetMachine(
          checked->triple, checked->cpu, checked->features, options,
          llvm::Reloc::PIC_, std::nullopt,
          levels[std::min(target.optLevel, 3u)]));
}

FailureOr<TargetFacts> acc::host::targetFacts(const ObjectTarget &target,
                                              std::string &error) {
  std::unique_ptr<llvm::TargetMachine> machine = createMachine(target, error);
  if (!machine)
    return failure();
  const llvm::MCSubtargetInfo &info = *machine->getMCSubtargetInfo();
  TargetFacts facts;
  facts.triple = nativeTriple(machine->getTargetTriple());
  facts.cpu = machine->getTargetCPU().str();
  // What LLVM knows beside the instructions, such as which of them are slow, is
  // nothing that a machine may lack.
  llvm::FeatureBitset habits;
  for (const llvm::SubtargetSubTypeKV &known :
       info.getAllProcessorDescriptions())
    if (facts.cpu == known.Key)
      habits = known.TuneImplies.getAsBitset() & ~known.Implies.getAsBitset();
  for (const llvm::SubtargetFeatureKV &feature :
       info.getEnabledProcessorFeatures())
    if (!habits.test(feature.Value))
      facts.features.push_back(feature.Key);
  llvm::sort(facts.features);
  return facts;
}

/// Every function is compiled for the same processor and, where there are such
/// registers, for 512-bit vectors, which LLVM avoids by default on some.
static void setTargetAttributes(llvm::Module &module,
                                const llvm::TargetMachine &machine) {
  bool wide = machine.getTargetTriple().isX86() &&
              (machine.getTargetFeatureString().contains("+avx512f") ||
               has(*machine.getMCSubtargetInfo(), "avx512f"));
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", machine.getTargetCPU());
    function.addFnAttr("target-features", machine.getTargetFeatureString());
    if (wide)
      function.addFnAttr("prefer-vector-width", "512");
  }
}

static void optimize(llvm::Module &module, llvm::TargetMachine &machine,
                     unsigned level) {
  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = level > 1;
  tuning.LoopInterleaving = level > 1;
  // Kernels are vectors already where it matters.
  tuning.SLPVectorization = false;
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager callGraph;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine, tuning);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(callGraph);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, callGraph, modules);
  const llvm::OptimizationLevel levels[] = {
      llvm::OptimizationLevel::O0, llvm::OptimizationLevel::O1,
      llvm::OptimizationLevel::O2, llvm::OptimizationLevel::O3};
  llvm::ModulePassManager passes =
      level == 0
          ? builder.buildO0DefaultPipeline(levels[0])
          : builder.buildPerModuleDefaultPipeline(levels[std::min(level, 3u)]);
  // Without optimizations, masks of constants still have to become constants.
  if (level == 0)
    passes.addPass(
        llvm::createModuleToFunctionPassAdaptor(llvm::InstSimplifyPass()));
  passes.run(module, modules);
}

/// The only lane that a constant mask has set, if there is one.
static std::optional<unsigned> getOneLane(const llvm::Value *mask) {
  const auto *constant = dyn_cast<llvm::Constant>(mask);
  auto *type = dyn_cast<llvm::FixedVectorType>(mask->getType());
  if (!constant || !type)
    return std::nullopt;
  std::optional<unsigned> found;
  for (unsigned lane = 0; lane < type->getNumElements(); ++lane) {
    const llvm::Constant *element = constant->getAggregateElement(lane);
    if (!element)
      return std::nullopt;
    if (element->isNullValue() || isa<llvm::UndefValue>(element))
      continue;
    if (found)
      return std::nullopt;
    found = lane;
  }
  return found;
}

/// Makes a masked store of a single lane a store of that lane's element.
///
/// Instruction selection does the same, but up to LLVM 22 it takes the element
/// from before a truncation and stores as many bytes as that has: for AVX-512,
/// what was truncated from i32 to i8 overwrites the three bytes behind it
/// (llvm-project issue 179489). Most such masks are constant only after loops
/// have been unrolled, which is why this comes after all optimizations.
static void storeSingleLanes(llvm::Module &module) {
  for (llvm::Function &function : module)
    for (llvm::Instruction &instruction :
         llvm::make_early_inc_range(llvm::instructions(function))) {
      auto *store = dyn_cast<llvm::IntrinsicInst>(&instruction);
      if (!store || store->getIntrinsicID() != llvm::Intrinsic::masked_store)
        continue;
      std::optional<unsigned> lane = getOneLane(store->getArgOperand(2));
      if (!lane)
        continue;
      llvm::IRBuilder<> builder(store);
      llvm::Value *element =
          builder.CreateExtractElement(store->getArgOperand(0), *lane);
      llvm::Value *address = builder.CreateConstInBoundsGEP1_64(
          element->getType(), store->getArgOperand(1), *lane);
      // Only the first lane is as aligned as the vector.
      llvm::Align alignment = store->getParamAlign(1).valueOrOne();
      uint64_t bytes =
          module.getDataLayout().getTypeStoreSize(element->getType());
      builder.CreateAlignedStore(
          element, address, llvm::commonAlignment(alignment, *lane * bytes));
      store->eraseFromParent();
    }
}

/// Translates a module of nothing but the LLVM dialect and emits an object.
static LogicalResult emitObject(ModuleOp module, llvm::TargetMachine &machine,
                                unsigned optLevel, ObjectFile &object) {
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> translated =
      translateModuleToLLVMIR(module, context, "acc_model");
  if (!translated)
    return emitError(module.getLoc(), "cannot be translated to LLVM IR");
  translated->setTargetTriple(machine.getTargetTriple());
  translated->setDataLayout(machine.createDataLayout());
  if (StringRef abi = machine.Options.MCOptions.getABIName(); !abi.empty())
    translated->addModuleFlag(llvm::Module::Error, "target-abi",
                              llvm::MDString::get(context, abi));
  setTargetAttributes(*translated, machine);
  optimize(*translated, machine, optLevel);
  storeSingleLanes(*translated);

  llvm::raw_svector_ostream stream(object);
  llvm::legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, stream, nullptr,
                                  llvm::CodeGenFileType::ObjectFile))
    return emitError(module.getLoc(),
                     "cannot be emitted as an object file for ")
           << machine.getTargetTriple().str();
  passes.run(*translated);
  return success();
}

FailureOr<std::vector<ObjectFile>>
acc::host::emitObjects(ModuleOp module, const ObjectTarget &target) {
  MLIRContext *context = module.getContext();
  registerBuiltinDialectTranslation(*context);
  registerLLVMDialectTranslation(*context);
  SmallVector<OwningOpRef<ModuleOp>> parts = splitCode(module);
  SmallVector<std::unique_ptr<llvm::TargetMachine>> machines;
  for (size_t part = 0; part < parts.size(); ++part) {
    std::string error;
    machines.push_back(createMachine(target, error));
    if (!machines.back())
      return emitError(module.getLoc(), "cannot generate native code: ")
             << error;
  }
  std::vector<ObjectFile> objects(parts.size());
  if (failed(
          failableParallelForEachN(context, 0, parts.size(), [&](size_t part) {
            return emitObject(*parts[part], *machines[part], target.optLevel,
                              objects[part]);
          })))
    return failure();
  return objects;
}
