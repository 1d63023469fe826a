/// A compiled model, loaded.

#ifndef ACC_RUNTIME_MODEL_MODEL_H
#define ACC_RUNTIME_MODEL_MODEL_H

#include "Arena.h"

#include "acc/device.h"

#include <mutex>

namespace acc {

/// The code of a model: its ELF image, loaded from a copy in memory, so that
/// the file may be replaced while the model is in use.
class Image {
public:
  Image(std::string_view bytes, const std::string &path);
  ~Image();
  Image(const Image &) = delete;
  Image &operator=(const Image &) = delete;

  acc_model_main_fn *entry = nullptr;

private:
  int fd = -1;
  void *handle = nullptr;
};

struct ModelOptions {
  std::string device = "fsim";
  bool verify = true, sanitize = false, profile = false;
};

class Model {
public:
  Model(const std::string &path, const ModelOptions &options);

  /// Runs once; null pointers stand for the model's own buffers.
  void run(const void *const *inputs, void *const *outputs);
  /// JSON text about the last run.
  std::string statistics();

  const std::string metadataText;
  const Metadata &info() const { return metadata; }
  void *input(size_t index) const { return arena.inputs[index]; }
  void *output(size_t index) const { return arena.outputs[index]; }

  /// Kept for acc_model_statistics.
  std::string statisticsText;

private:
  struct LoadedProgram {
    isa::Program program;
    /// The stream as linked to `addresses`.
    std::vector<isa::Word128> stream;
    std::vector<uint64_t> addresses;
    /// What the launches of the last run did, in all and by layer.
    Counters total;
    std::vector<Counters> layers;
    double seconds = 0;
    uint64_t launches = 0;
  };

  Model(const std::string &path, const ModelOptions &options,
        const ModelFile &file);
  std::vector<LoadedProgram> loadPrograms(const std::string &path,
                                          const ModelFile &file) const;
  std::vector<uint64_t> uopBytes() const;
  /// DRAM addresses of the buffers of a launch; false and a failure if they
  /// are not what the program wants.
  bool bind(int32_t program, void *const *buffers, int32_t count,
            std::vector<uint64_t> &addresses);
  int32_t launch(int32_t program, void *const *buffers, int32_t count);
  void beginLayer(int32_t layer);

  const ModelOptions options;
  const Metadata metadata;
  std::vector<LoadedProgram> programs;
  Arena arena;
  Image image;
  std::unique_ptr<Device> device;
  uint64_t arenaAddress = 0;

  std::mutex mutex;
  /// Why the run that is under way fails.
  std::string failure;
  double runSeconds = 0;
  uint64_t runs = 0;
  std::vector<double> layerSeconds;
  int32_t currentLayer = -1;
  double layerStart = 0;
};

} // namespace acc

#endif // ACC_RUNTIME_MODEL_MODEL_H
