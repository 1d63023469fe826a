// Puts the threads of native code to the test, to be built with a sanitizer:
// several callers at once, memory of every thread's own, helpers that sleep in
// between, and children of fork().
//
// Given a model of one input and one output of float32, it also runs that from
// several threads, with other numbers of threads every time, and compares.

#include "acc/devices.h"
#include "threads/ThreadPool.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace acc;

static void check(bool holds, const char *what) {
  if (holds)
    return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

struct Loop {
  std::vector<int64_t> results;
  static void run(const void *args, int64_t begin, int64_t end, void *own) {
    auto *loop = *static_cast<Loop *const *>(args);
    auto *scratch = static_cast<int64_t *>(own);
    for (int64_t i = begin; i < end; ++i) {
      // Others would be seen here if they used the same memory.
      for (int64_t k = 0; k < 16; ++k)
        scratch[k] = i + k;
      int64_t sum = 0;
      for (int64_t k = 0; k < 16; ++k)
        sum += scratch[k];
      loop->results[static_cast<size_t>(i)] += sum;
    }
  }
};

static void runLoops(int rounds, int32_t threads) {
  for (int round = 0; round < rounds; ++round) {
    int64_t count = (round * 7) % 100;
    Loop loop{std::vector<int64_t>(static_cast<size_t>(count))};
    int64_t own[16];
    Loop *args = &loop;
    ThreadPool::get().run(threads, Loop::run, &args, count, own, sizeof(own));
    for (int64_t i = 0; i < count; ++i)
      check(loop.results[static_cast<size_t>(i)] == 16 * i + 120,
            "an iteration did not run once");
  }
}

static void runTogether(int rounds) {
  std::vector<std::thread> callers;
  for (int32_t threads = 1; threads <= 4; ++threads)
    callers.emplace_back(runLoops, rounds, threads);
  for (std::thread &caller : callers)
    caller.join();
}

#ifdef WITH_MODEL
// A runtime without accelerators is built more quickly.
namespace acc {
std::vector<DeviceKind> vtaDevices() { return {}; }
} // namespace acc

static std::vector<float> runModel(acc_model *model,
                                   const std::vector<float> &input) {
  acc_tensor_info info;
  check(acc_model_output(model, 0, &info) == ACC_OK, acc_last_error());
  std::vector<float> output(info.bytes / sizeof(float));
  const void *inputs[] = {input.data()};
  void *outputs[] = {output.data()};
  check(acc_model_run(model, inputs, outputs) == ACC_OK, acc_last_error());
  return output;
}

static void runModels(const char *path) {
  acc_model *model = nullptr;
  check(acc_model_load(path, nullptr, &model) == ACC_OK, acc_last_error());
  check(acc_model_set_threads(model, 0) == ACC_ERROR_ARGUMENT &&
            acc_model_set_threads(model, ACC_MOST_THREADS + 1) ==
                ACC_ERROR_ARGUMENT,
        "a number of threads should have been refused");
  acc_tensor_info info;
  acc_model_input(model, 0, &info);
  std::vector<float> input(info.bytes / sizeof(float));
  for (size_t i = 0; i < input.size(); ++i)
    input[i] = static_cast<float>(i % 17) - 8;
  acc_model_set_threads(model, 1);
  std::vector<float> expected = runModel(model, input);
  std::vector<std::thread> callers;
  for (int32_t threads = 1; threads <= 4; ++threads)
    callers.emplace_back([&, threads] {
      acc_model *own = nullptr;
      check(acc_model_load(path, nullptr, &own) == ACC_OK, acc_last_error());
      for (int round = 0; round < 5; ++round) {
        check(acc_model_set_threads(model, threads) == ACC_OK,
              acc_last_error());
        check(acc_model_set_threads(own, threads) == ACC_OK, acc_last_error());
        for (acc_model *each : {model, own}) {
          std::vector<float> found = runModel(each, input);
          check(!std::memcmp(found.data(), expected.data(),
                             found.size() * sizeof(float)),
                "other threads have other results");
        }
        check(std::strlen(acc_model_statistics(own)) > 2, "no statistics");
      }
      acc_model_free(own);
    });
  for (std::thread &caller : callers)
    caller.join();
  acc_model_free(model);
}
#endif

int main(int argc, char **argv) {
  check(usableCores() >= 1, "there is no core");
  runTogether(200);
  // Helpers fall asleep and must be woken.
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    runLoops(5, 3);
  }
  pid_t child = fork();
  if (child == 0) {
    runLoops(20, 3);
    _exit(0);
  }
  int status = -1;
  check(waitpid(child, &status, 0) == child && status == 0,
        "the child of fork() failed");
  runLoops(20, 3);
#ifdef WITH_MODEL
  for (int i = 1; i < argc; ++i)
    runModels(argv[i]);
#endif
}
