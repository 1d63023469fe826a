/// The threads of native code, which all models of the process share.

#ifndef ACC_RUNTIME_THREADS_THREADPOOL_H
#define ACC_RUNTIME_THREADS_THREADPOOL_H

#include "acc/runtime.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace acc {

/// The cores that the process may use: those of its affinity, or fewer where
/// its control group has a quota of processor time. At least 1.
int32_t usableCores();

/// What is wrong with a number of threads, or nothing. More than
/// ACC_MOST_THREADS are a mistake, not a machine.
std::string checkThreads(int64_t threads);

/// Lets threads help with loops whose iterations may run at the same time.
///
/// The thread that calls `run` works too, and only it if nobody has time. So
/// any number of threads may call `run` at once, each for its own loop, and
/// none waits for another one's. Helpers are started when they are first needed
/// and stay until the process ends; one that has nothing to do for a while
/// sleeps. A child made by fork() has no helpers and starts its own.
class ThreadPool {
public:
  /// That of the process, never destroyed: helpers may outlive static objects.
  static ThreadPool &get();

  /// Calls \p body for ranges that make up [0, count), from at most \p threads
  /// threads at once. Every thread but the caller's has memory of its own
  /// instead of \p own, of \p ownBytes bytes.
  void run(int32_t threads, acc_chunks_fn *body, const void *args,
           int64_t count, void *own, int64_t ownBytes);

  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

private:
  /// One call of `run`, on its caller's stack. `places` and `helpers` belong to
  /// the pool's mutex; `helpers` is atomic for the caller to watch.
  struct Job {
    acc_chunks_fn *body;
    const void *args;
    int64_t count, ownBytes;
    /// Threads that may work on it, the caller included.
    int32_t threads;
    /// How many more helpers may join.
    int32_t places;
    std::atomic<int64_t> next = 0;
    std::atomic<int32_t> helpers = 0;
  };

  ThreadPool() = default;
  void start(int32_t helpers);
  void help();
  Job *join();
  void leave(Job &job);
  static void work(Job &job, void *own);

  std::mutex mutex;
  /// Where helpers sleep, and where callers wait for the last helper.
  std::condition_variable wanted, finished;
  /// Loops that helpers may join, the oldest first.
  std::vector<Job *> jobs;
  /// Helpers that were started, that sleep, and that work.
  int32_t started = 0, asleep = 0, busy = 0;
  /// Threads that are in `run` now.
  int32_t callers = 0;
  /// Counts calls of `run`, for helpers that wait without sleeping.
  std::atomic<uint32_t> calls = 0;
};

} // namespace acc

#endif // ACC_RUNTIME_THREADS_THREADPOOL_H
