//===- ObjectEmission.cpp - From LLVM dialect to object code --------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Host/ObjectEmission.h"

#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
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
static bool knowsFeatures(const llvm::Target &backend,
                          const llvm::Triple &triple, StringRef features,
                          std::string &error) {
  std::unique_ptr<llvm::MCSubtargetInfo> info(
      backend.createMCSubtargetInfo(triple, "", ""));
  SmallVector<StringRef> names;
  features.split(names, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (StringRef name : names) {
    bool isSwitch = name.consume_front("+") || name.consume_front("-");
    if (isSwitch && info &&
        llvm::any_of(info->getAllProcessorFeatures(),
                     [&](const llvm::SubtargetFeatureKV &known) {
                       return name == known.Key;
                     }))
      continue;
    error = ("unknown processor feature '" + name + "' for " + triple.str() +
             ": features are written as \"+avx2,-avx512f\"")
                .str();
    return false;
  }
  return true;
}

static std::unique_ptr<llvm::TargetMachine>
createMachine(const ObjectTarget &target, std::string &error) {
  initializeTargets();
  llvm::Triple triple(target.triple.empty()
                          ? llvm::sys::getDefaultTargetTriple()
                          : target.triple);
  const llvm::Target *backend =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!backend)
    return nullptr;
  std::string cpu = target.cpu, features = target.features;
  if (cpu == "native") {
    cpu = hostCpu();
    std::string own;
    for (const auto &feature : llvm::sys::getHostCPUFeatures())
      own += (own.empty() ? "" : ",") +
             ((feature.second ? "+" : "-") + feature.first().str());
    features = features.empty() ? own : own + "," + features;
  } else {
    // LLVM prints a warning and goes on when it does not know a processor.
    std::unique_ptr<llvm::MCSubtargetInfo> info(
        backend->createMCSubtargetInfo(triple, "", ""));
    if (!info || !info->isCPUStringValid(cpu)) {
      error = "unknown processor '" + cpu + "' for " + triple.str();
      return nullptr;
    }
  }
  if (!knowsFeatures(*backend, triple, target.features, error))
    return nullptr;
  llvm::CodeGenOptLevel levels[] = {
      llvm::CodeGenOptLevel::None, llvm::CodeGenOptLevel::Less,
      llvm::CodeGenOptLevel::Default, llvm::CodeGenOptLevel::Aggressive};
  return std::unique_ptr<llvm::TargetMachine>(backend->createTargetMachine(
      triple, cpu, features, llvm::TargetOptions(), llvm::Reloc::PIC_,
      std::nullopt, levels[std::min(target.optLevel, 3u)]));
}

FailureOr<std::vector<std::string>>
acc::host::targetFeatures(const ObjectTarget &target, std::string &error) {
  std::unique_ptr<llvm::TargetMachine> machine = createMachine(target, error);
  if (!machine)
    return failure();
  std::vector<std::string> names;
  const llvm::MCSubtargetInfo &info = *machine->getMCSubtargetInfo();
  for (const llvm::SubtargetFeatureKV &feature :
       info.getEnabledProcessorFeatures())
    names.push_back(feature.Key);
  llvm::sort(names);
  return names;
}

/// Every function is compiled for the same processor and, where there are such
/// registers, for 512-bit vectors, which LLVM avoids by default on some.
static void setTargetAttributes(llvm::Module &module,
                                const llvm::TargetMachine &machine) {
  bool wide = machine.getTargetFeatureString().contains("+avx512f") ||
              machine.getMCSubtargetInfo()->checkFeatures("+avx512f");
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

LogicalResult acc::host::emitObject(ModuleOp module, const ObjectTarget &target,
                                    SmallVectorImpl<char> &object) {
  std::string error;
  std::unique_ptr<llvm::TargetMachine> machine = createMachine(target, error);
  if (!machine)
    return emitError(module.getLoc(), "cannot generate native code: ") << error;

  // The programs of an accelerator stay behind.
  OwningOpRef<ModuleOp> host = ModuleOp::create(module.getLoc());
  OpBuilder builder = OpBuilder::atBlockEnd(host->getBody());
  for (Operation &op : *module.getBody())
    if (op.getName().getDialectNamespace() == "llvm")
      builder.clone(op);

  registerBuiltinDialectTranslation(*module.getContext());
  registerLLVMDialectTranslation(*module.getContext());
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> translated =
      translateModuleToLLVMIR(*host, context, "acc_model");
  if (!translated)
    return emitError(module.getLoc(), "cannot be translated to LLVM IR");
  translated->setTargetTriple(machine->getTargetTriple());
  translated->setDataLayout(machine->createDataLayout());
  setTargetAttributes(*translated, *machine);
  optimize(*translated, *machine, target.optLevel);
  storeSingleLanes(*translated);

  llvm::raw_svector_ostream stream(object);
  llvm::legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, stream, nullptr,
                                   llvm::CodeGenFileType::ObjectFile))
    return emitError(module.getLoc(),
                     "cannot be emitted as an object file for ")
           << machine->getTargetTriple().str();
  passes.run(*translated);
  return success();
}
