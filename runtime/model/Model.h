/// A compiled model, loaded.

#ifndef ACC_RUNTIME_MODEL_MODEL_H
#define ACC_RUNTIME_MODEL_MODEL_H

#include "Arena.h"
#include "Guards.h"
#include "Pool.h"

#include "acc/devices.h"

#include <atomic>
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
  int openFile();

  int fd = -1;
  void *handle = nullptr;
  /// The file of the code, if it is not in memory only.
  std::string file;
};

struct ModelOptions {
  /// As DeviceSpec::parse reads it; an instruction set that it does not mention
  /// has its default device.
  std::string device;
  bool verify = true, sanitize = false, profile = false, events = false;
  acc_launch_fn *onLaunch = nullptr;
  void *onLaunchUser = nullptr;
  /// 0 leaves it to the model, or else to the machine.
  int32_t threads = 0;
};

/// What a run is given; all but the inputs of unknown size may be null.
struct RunRequest {
  const void *const *inputs = nullptr;
  const int64_t *const *dims = nullptr;
  void *const *outputs = nullptr;
  acc_output_fn *output = nullptr;
  void *user = nullptr;
};

class Model {
public:
  Model(const std::string &path, const ModelOptions &options);

  /// Runs once; null pointers stand for the model's own buffers.
  void run(const RunRequest &wanted);
  /// JSON text about the last run.
  std::string statistics();

  const std::string metadataText;
  const Metadata &info() const { return metadata; }
  int32_t threads() const { return wantedThreads; }
  /// Throws ModelError for a number that there cannot be.
  void setThreads(int64_t threads);
  void *input(size_t index) const { return arena.inputs[index]; }
  void *output(size_t index) const { return results[index].memory; }
  /// An output as the last run made it.
  acc_tensor_info result(size_t index) const;
  static acc_tensor_info describe(const TensorInfo &info,
                                  const std::vector<int64_t> &dims,
                                  uint64_t bytes);

  /// Kept for acc_model_statistics.
  std::string statisticsText;

private:
  /// A device with the instruction set whose programs it runs, and where it
  /// has the arena.
  struct Unit {
    std::string instructionSet;
    std::unique_ptr<Device> device;
    uint64_t arenaAddress = 0;
  };
  struct LoadedProgram {
    Unit *unit = nullptr;
    std::unique_ptr<DeviceProgram> program;
    /// What the launches of the last run did, in all and by layer.
    Counts total;
    std::vector<std::pair<std::string, Counts>> layers;
    double seconds = 0;
    uint64_t launches = 0;
    /// The cycles of launches on a device with a notion of time.
    std::optional<uint64_t> cycles;

    void clear();
  };

  /// A launch of the last run, recorded with the option `events`.
  struct Launch {
    int32_t program = 0, layer = -1;
    Timing timing;
  };

  Model(const std::string &path, const ModelOptions &options,
        const ModelFile &file);
  std::vector<Unit> makeUnits(const std::string &path,
                              const ModelFile &file) const;
  std::vector<LoadedProgram> loadPrograms(const std::string &path,
                                          const ModelFile &file);
  std::vector<uint64_t> tableBytes() const;
  /// The buffers of a launch with the program's own table; false and a failure
  /// if they are not what the program wants.
  bool bind(int32_t program, void *const *buffers, int32_t count,
            std::vector<void *> &all);
  int32_t launch(int32_t program, void *const *buffers, int32_t count);
  /// Calls the option `onLaunch`.
  void tellLaunch(int32_t program, std::span<void *const> buffers,
                  bool after) const;
  /// The name of the kernel that began last, or "".
  std::string kernelName() const;
  void beginLayer(int32_t layer);

  struct Hooks;
  struct Result {
    std::vector<int64_t> dims;
    uint64_t bytes = 0;
    void *memory = nullptr;
  };
  /// Remembers the first reason why the run that is under way fails.
  void fail(acc_status status, const std::string &reason);
  void *allocate(uint64_t elementBytes, const int64_t *dims, size_t rank);
  void *placeOutput(int32_t index, const int64_t *dims, size_t rank);
  int32_t checkGuards();
  void setShapes(const int64_t *const *dims);
  bool isUsable(const void *memory, uint64_t alignment) const;
  std::vector<void *> takeInputs(const void *const *inputs);
  std::vector<void *> askForOutputs();
  std::vector<void *> chooseOutputs(const std::vector<void *> &wanted,
                                    const std::vector<void *> &inputs) const;
  void giveOutputs(const std::vector<void *> &made,
                   std::vector<void *> &wanted);

  const ModelOptions options;
  const Metadata metadata;
  /// One for each instruction set that the programs are in.
  std::vector<Unit> units;
  std::vector<LoadedProgram> programs;
  Arena arena;
  Image image;

  /// The state of the run that is under way, or of the last one.
  Pool pool;
  Guards guards;
  const RunRequest *request = nullptr;
  std::vector<std::vector<int64_t>> shapes;
  std::vector<Result> results;
  std::string failure;
  acc_status failureStatus = ACC_ERROR_RUN;

  std::mutex mutex;
  std::atomic<int32_t> wantedThreads = 1;
  /// What the run that is under way, or the last one, was given.
  int32_t runThreads = 1;
  double runSeconds = 0;
  uint64_t runs = 0;
  std::vector<double> layerSeconds;
  std::vector<Launch> launches;
  int32_t currentLayer = -1;
  double layerStart = 0;
};

} // namespace acc

#endif // ACC_RUNTIME_MODEL_MODEL_H
