//===- PackedValues.h - Tensors in the accelerator's layout -----*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_VTA_GRAPH_PACKEDVALUES_H
#define ACC_PASSES_VTA_GRAPH_PACKEDVALUES_H

#include "dialects/Graph/ChannelMoves.h"
#include "dialects/VTA/VTADialect.h"
#include "passes/VTA/Graph/Lanes.h"
#include "passes/VTA/Graph/VTASteps.h"

#include "llvm/ADT/StringSet.h"

#include <array>

namespace acc::vta {

struct WindowFold;

/// The accelerator that an operator is assigned to, or null.
ConfigAttr getAccelerator(mlir::Operation *op);
inline bool isAccelerated(mlir::Operation *op) {
  return getAccelerator(op) != nullptr;
}
/// The kernel that an operator is assigned to, or null.
mlir::StringAttr getKernel(mlir::Operation *op);

/// Whether the host computes on packed tensors as they are, without unpacking:
/// it concatenates them, or looks their elements up in a table.
bool isPackedOnHost(mlir::Operation *op);

/// Whether an operator chooses or permutes channels of a packed tensor, which
/// then lie where they did.
bool isPackedMove(mlir::Operation *op);

/// Whether an operator only changes the shape.
bool isReshape(mlir::Operation *op);

/// The kernel that computes a value, or what else to name its conversions by.
llvm::StringRef getKernelName(mlir::Value value);

/// Images of 1 x 1 of what has fewer axes.
llvm::SmallVector<int64_t> to4D(llvm::ArrayRef<int64_t> shape);

/// Assigns what is inserted into one block to the current kernel; constants and
/// empty tensors belong to none.
struct KernelTagger : mlir::OpBuilder::Listener {
  explicit KernelTagger(mlir::Block &block) : block(block) {}

  void notifyOperationInserted(mlir::Operation *op,
                               mlir::OpBuilder::InsertPoint) override;

  mlir::Block &block;
  graph::PlacementAttr placement;
};

/// Rows and columns around an image, as in graph.pack: top, left, bottom,
/// right.
using Halo = std::array<int64_t, 4>;
inline bool isEmpty(const Halo &halo) { return halo == Halo{}; }

/// Decides and remembers the packed form of every i8 tensor that the
/// accelerator reads or writes.
///
/// A tensor has a halo if a reader pads it with anything but zero, which the
/// DMA cannot; all readers with the same padding share the largest. Tensors
/// that are joined by a concatenation lie in one memory and have one halo.
class PackedValues {
public:
  /// `accelerator` computes copies of tensors in another order of channels.
  PackedValues(mlir::ImplicitLocOpBuilder &builder, Tiles tiles,
               VTASteps &steps, KernelTagger &tagger, ConfigAttr accelerator)
      : b(builder), tiles(tiles), steps(steps), tagger(tagger),
        accelerator(accelerator) {}

  /// The lanes of `value` in the form that getInterior and getPadded choose.
  const Lanes &getLanes(mlir::Value value, int64_t tile,
                        llvm::ArrayRef<int64_t> pads = {}, int8_t padValue = 0);

  /// `value` without a halo; with its channels in the lanes `wanted`, if given.
  mlir::Value getInterior(mlir::Value value, int64_t tile,
                          const Lanes *wanted = nullptr);

  /// `value` padded as an operator asks for it (ONNX order: top, left, bottom,
  /// right); negative pads cut off rows or columns. `channelPads` are blocks of
  /// zeros before and after the channels.
  mlir::Value getPadded(mlir::Value value, int64_t tile,
                        llvm::ArrayRef<int64_t> pads, int8_t padValue,
                        std::array<int64_t, 2> channelPads = {});

  /// `value` with taps of a window among its channels, in as many rows and
  /// columns as the windows read; `pads` as for getPadded.
  mlir::Value getFolded(mlir::Value value, int64_t tile, const WindowFold &fold,
                        llvm::ArrayRef<int64_t> pads, int8_t padValue);

  /// Makes the packed form of an operator's result: `compute` writes the
  /// interior of the destination that it is given, whose blocks of channels are
  /// axes of the sizes in `channelBlocks`.
  void createResult(mlir::Value value, const Lanes &lanes,
                    llvm::ArrayRef<int64_t> channelBlocks,
                    llvm::function_ref<mlir::Value(mlir::Value)> compute);

  /// The form of `shape` that decides its layout: images (N, C, H, W) and
  /// sequences (N, positions, channels). A matrix is a sequence, or an image of
  /// 1 x 1 if its rows are one tile, which is the same in memory.
  llvm::SmallVector<int64_t> getForm(llvm::ArrayRef<int64_t> shape) const;
  /// The packed shape of a tensor of `shape`, without a halo.
  llvm::SmallVector<int64_t> getPackedShape(llvm::ArrayRef<int64_t> shape,
                                            int64_t tile) const;

  // PackedSequences.cpp
  /// An operand of a product of matrices (rows, channels) or stacks of them.
  struct Matrix {
    mlir::Value value;
    /// Whether what incomplete tiles hold behind the channels is zero.
    bool isZeroPadded = false;
  };
  /// The rows of `value` as inputs, (n, blocks, rows, 1, BATCH, BLOCK_IN).
  Matrix getInputs(mlir::Value value, bool mustBeZeroPadded);
  /// The rows of `value` as outputs of weight tiles, (n, blocks, outputs,
  /// BLOCK_OUT, BLOCK_IN).
  Matrix getWeights(mlir::Value value);
  /// The same of the columns of `value`, which `transpose` makes rows of where
  /// they lie in the accelerator's layout: it is given weight tiles.
  Matrix
  getTransposedWeights(mlir::Value value,
                       llvm::function_ref<mlir::Value(mlir::Value)> transpose);

  // PackedAssemblies.cpp
  /// Makes the packed form of what is put together: inputs that are not stored
  /// to their places yet are copied, each by a kernel of its own.
  mlir::LogicalResult createAssembly(AssembleOp op);

  // PackedChannels.cpp
  /// The i8 elements of `value` times a factor, in i32 and in other lanes, if
  /// canMultiply; blocks may lie in sections.
  mlir::Value getMultiplied(mlir::Value value, const Lanes &lanes,
                            int8_t factor, bool anySections);
  bool canMultiply(int32_t factor) const;

  /// Makes the packed form of a concatenation along the channels, in whose
  /// memory its operands lie one after the other, each in whole blocks.
  mlir::LogicalResult createConcat(graph::ConcatOp op);

  /// Makes the packed form of a table look-up of a packed tensor; fails for
  /// tables for each channel.
  mlir::LogicalResult createLookup(graph::LookupOp op);

  /// A name that no other kernel made here has.
  mlir::StringAttr makeKernelName(const llvm::Twine &name);

  /// The plain form of a result, or null if there is no packed one.
  mlir::Value getUnpacked(mlir::Value value);

private:
  struct Packed {
    mlir::Value value;
    Halo halo;
    int8_t padValue;
    Lanes lanes;
    /// The block of `value` that the lanes begin with.
    int64_t firstBlock = 0;
  };

  // PackedChannels.cpp
  /// How a value moves channels of a tensor in the accelerator's layout.
  std::optional<graph::ChannelMove> findMove(mlir::Value value) const;
  /// The tensor in whose memory `value` lies if nothing is joined: what moves
  /// of channels lead back to.
  mlir::Value findBase(mlir::Value value) const;
  /// The concatenation in whose memory a base lies, or null.
  graph::ConcatOp findJoin(mlir::Value base) const;
  /// The outermost tensor in whose memory `value` lies.
  mlir::Value findRoot(mlir::Value value) const;
  /// Calls back for all bases in the memory of a root.
  void forEachMember(mlir::Value root,
                     llvm::function_ref<void(mlir::Value)> callback) const;
  Packed view(Packed packed, llvm::ArrayRef<int64_t> channels,
              int64_t tile) const;
  /// A copy of the packed form of `value` with other lanes or another halo, by
  /// the accelerator if it can, else by the host.
  Packed copy(const Packed &from, mlir::Value value, const Lanes &lanes,
              const Halo &halo, int8_t padValue);
  mlir::Value multiply(const Packed &from, mlir::Value value,
                       const Lanes &lanes, int8_t factor, bool anySections);
  Packed copyOnHost(mlir::Value value, const Lanes &lanes, const Halo &halo,
                    int8_t padValue);
  /// The lanes that the policy wants for an operand of a concatenation, if it
  /// is copied; empty if it says nothing.
  mlir::FailureOr<Lanes> getWantedLanes(graph::ConcatOp op, int64_t first,
                                        int64_t channels) const;
  void joinParts(Packed &joined, llvm::ArrayRef<Packed> parts);
  void joinCopies(Packed &joined, graph::ConcatOp op,
                  llvm::ArrayRef<Packed> parts);
  mlir::Value unpack(const Packed &packed, mlir::Value value);
  /// The lanes of `value` if its channels lie in order.
  Lanes getOrder(mlir::Value value, int64_t tile) const;

  /// Positions that complete the last weight tile of sequences, which nobody
  /// reads for what they hold.
  Halo getTail(llvm::ArrayRef<int64_t> form) const;
  /// The tensor whose packed form holds `value` too, because heads that are
  /// taken apart or joined are blocks of channels, or null.
  mlir::Value findHeads(mlir::Value value, int64_t tile) const;
  /// The same if the accelerator computes that tensor.
  mlir::Value findComputedHeads(mlir::Value value, int64_t tile) const;
  /// The packed form, with its tail, of sequences whose heads are taken apart
  /// or joined from what the accelerator computes.
  std::optional<Packed> findSequences(mlir::Value value, int64_t tile);
  /// Packs `plain` for one reader.
  mlir::Value packSequences(mlir::Value plain, mlir::Value origin,
                            int64_t tile);
  /// `value` as the host has it.
  mlir::Value getOnHost(mlir::Value value);
  mlir::Value toWeights(mlir::Value packed, int64_t outputs);

  /// The tensor that the reshapes in front of `value` leave as it is.
  mlir::Value lookThrough(mlir::Value value) const;
  /// The packed form that a reader with these pads reads.
  const Packed &select(mlir::Value value, int64_t tile,
                       llvm::ArrayRef<int64_t> pads, int8_t padValue);
  /// The largest halo with this padding that a reader wants.
  Halo getHalo(mlir::Value value, int64_t tile, int8_t padValue) const;
  /// The padding of the first reader that needs a halo.
  std::optional<int8_t> getPadValue(mlir::Value value, int64_t tile) const;
  using ReaderCallback = llvm::function_ref<void(const Halo &, int8_t)>;
  /// Calls back for the readers of all tensors in the memory of `value`.
  void forEachReader(mlir::Value value, int64_t tile,
                     ReaderCallback callback) const;
  void forEachOwnReader(mlir::Value value, int64_t tile,
                        ReaderCallback callback) const;

  /// The same in the form that decides its layout.
  mlir::Value getPlain(mlir::Value value);
  const Packed &get(mlir::Value value, int64_t tile,
                    std::optional<int8_t> padValue = std::nullopt);
  mlir::Value slice(const Packed &packed, const Halo &halo);
  mlir::Value pad(mlir::Value packed, const Halo &border,
                  std::array<int64_t, 2> channelPads);
  /// An empty tensor for the packed form of `value` as its readers want it, or
  /// only those that pad with `padValue`.
  Packed createDestination(mlir::Value value, const Lanes &lanes,
                           llvm::ArrayRef<int64_t> channelBlocks,
                           std::optional<int8_t> padValue = std::nullopt);
  mlir::Value createEmpty(mlir::Value value,
                          llvm::ArrayRef<int64_t> channelBlocks,
                          const Halo &halo);
  /// Fills a destination with the value of its border, by the host.
  void fillBorder(Packed &packed, llvm::StringRef kernel);
  /// Lets a kernel write the interior of a destination, whose border the host
  /// fills before.
  void write(Packed &packed, bool hasBorder,
             llvm::function_ref<mlir::Value(mlir::Value)> compute);

  // PackedAssemblies.cpp
  /// The slice of which `value` is the result, if its readers load it from
  /// where it lies.
  static graph::SliceOp getView(mlir::Value value);
  /// The part of a packed image that such a slice is, or null if `value` is
  /// none.
  mlir::Value getViewed(mlir::Value value, int64_t tile,
                        const Lanes *wanted = nullptr);
  /// The buffer of what is put together, as it is so far; of these lanes if
  /// there is none yet.
  Packed &getAssembly(AssembleOp op, const Lanes &lanes);
  /// Lets `compute` write input `index` to its place.
  void writePart(AssembleOp op, unsigned index, Packed &packed,
                 llvm::function_ref<mlir::Value(mlir::Value)> compute);
  /// Stores a result to its place in the one image that is put together from
  /// it; false if there is none.
  bool storePart(mlir::Value value, const Lanes &lanes,
                 llvm::ArrayRef<int64_t> channelBlocks,
                 llvm::function_ref<mlir::Value(mlir::Value)> compute);
  /// Writes what a destination with a halo has around it.
  void fillHalo(Packed &packed);
  /// Gives a conversion, which the host runs, a kernel of its own; `reason`
  /// says what keeps the accelerator from it, where something that can be
  /// changed does.
  void assignToHost(mlir::Operation *op, const llvm::Twine &name,
                    const llvm::Twine &reason = "");
  /// Why the host packs `value` in another layout than that in which the
  /// accelerator has computed it; nothing if the host has computed it.
  std::string explainPack(mlir::Value value) const;

  mlir::ImplicitLocOpBuilder &b;
  Tiles tiles;
  VTASteps &steps;
  KernelTagger &tagger;
  ConfigAttr accelerator;
  /// Forms never move, so that they can be referred to.
  llvm::DenseMap<std::pair<mlir::Value, int64_t>,
                 llvm::SmallVector<std::unique_ptr<Packed>, 1>>
      all;
  mutable llvm::DenseMap<mlir::Value, mlir::Operation *> joins;
  llvm::DenseMap<mlir::Value, mlir::Value> unpacked;
  llvm::DenseMap<mlir::Operation *, std::unique_ptr<Packed>> assemblies;
  /// Inputs of them that have been stored to their places.
  llvm::DenseSet<mlir::Value> stored;
  llvm::StringSet<> kernelNames;
};

} // namespace acc::vta

#endif // ACC_PASSES_VTA_GRAPH_PACKEDVALUES_H
