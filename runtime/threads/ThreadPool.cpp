#include "ThreadPool.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <pthread.h>
#include <system_error>
#include <thread>

using namespace acc;

/// How long a helper looks for work before it sleeps: kernels of one model
/// follow each other more quickly than a sleeping thread can be woken.
static constexpr auto kPatience = std::chrono::microseconds(100);

/// Own memory is as aligned as what the compiler places.
static constexpr size_t kOwnAlignment = 64;

/// A thread takes such a part of what would be its share at once: enough to
/// touch the common counter seldom, little enough for all to end together.
static constexpr int64_t kPartsOfShare = 4;

static void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Looks for \p condition for a while; says whether it came true.
template <typename Condition> static bool await(Condition condition) {
  auto until = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    for (int i = 0; i < 64; ++i) {
      if (condition())
        return true;
      relax();
    }
    if (std::chrono::steady_clock::now() > until)
      return false;
  }
}

//===----------------------------------------------------------------------===//
// One pool per process
//===----------------------------------------------------------------------===//

static std::atomic<ThreadPool *> instance = nullptr;

ThreadPool &ThreadPool::get() {
  // fork() copies one thread only, and the mutex in whatever state it is: the
  // child leaves the pool of its parent alone and makes another.
  static const int registered = pthread_atfork(nullptr, nullptr, [] {
    instance.store(nullptr, std::memory_order_relaxed);
  });
  (void)registered;
  ThreadPool *pool = instance.load(std::memory_order_acquire);
  if (pool)
    return *pool;
  std::unique_ptr<ThreadPool> made(new ThreadPool);
  if (instance.compare_exchange_strong(pool, made.get(),
                                       std::memory_order_acq_rel))
    pool = made.release();
  return *pool;
}

//===----------------------------------------------------------------------===//
// The caller
//===----------------------------------------------------------------------===//

void ThreadPool::run(int32_t threads, acc_chunks_fn *body, const void *args,
                     int64_t count, void *own, int64_t ownBytes) {
  threads = static_cast<int32_t>(std::min<int64_t>(threads, count));
  if (threads <= 1) {
    if (count > 0)
      body(args, 0, count, own);
    return;
  }
  Job job;
  job.body = body;
  job.args = args;
  job.count = count;
  job.ownBytes = ownBytes;
  job.threads = threads;
  job.places = threads - 1;
  int32_t wake = 0;
  {
    std::lock_guard lock(mutex);
    start(threads - 1);
    ++callers;
    jobs.push_back(&job);
    // With the mutex held, so that no helper falls asleep in between.
    calls.fetch_add(1, std::memory_order_release);
    wake = std::min(asleep, threads - 1);
  }
  for (; wake > 0; --wake)
    wanted.notify_one();
  work(job, own);
  {
    std::lock_guard lock(mutex);
    std::erase(jobs, &job);
    --callers;
  }
  auto done = [&] { return job.helpers.load(std::memory_order_acquire) == 0; };
  if (await(done))
    return;
  std::unique_lock lock(mutex);
  finished.wait(lock, done);
}

/// Takes ranges of the loop until none is left.
void ThreadPool::work(Job &job, void *own) {
  int64_t share = job.threads * kPartsOfShare;
  int64_t begin = job.next.load(std::memory_order_relaxed);
  while (begin < job.count) {
    int64_t size = std::max<int64_t>(1, (job.count - begin) / share);
    if (!job.next.compare_exchange_weak(begin, begin + size,
                                        std::memory_order_relaxed))
      continue;
    job.body(job.args, begin, begin + size, own);
    begin = job.next.load(std::memory_order_relaxed);
  }
}

//===----------------------------------------------------------------------===//
// Helpers
//===----------------------------------------------------------------------===//

/// Starts helpers until there are so many, with the mutex held. Where the
/// system has no more threads, the work is done by those that there are.
void ThreadPool::start(int32_t helpers) {
  if (started >= helpers)
    return;
  // Signals are for the threads of the program, such as Python's.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    while (started < helpers) {
      std::thread([this] { help(); }).detach();
      ++started;
    }
  } catch (const std::system_error &) {
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

/// The oldest loop that a helper may join, with the mutex held. Helpers and
/// callers together are not more than the largest number of threads that one of
/// the callers wants: several models at once do not take more cores than one.
ThreadPool::Job *ThreadPool::join() {
  int32_t most = 0;
  for (const Job *job : jobs)
    most = std::max(most, job->threads);
  if (callers + busy >= most)
    return nullptr;
  for (Job *job : jobs)
    if (job->places > 0 &&
        job->next.load(std::memory_order_relaxed) < job->count) {
      --job->places;
      ++busy;
      job->helpers.fetch_add(1, std::memory_order_relaxed);
      return job;
    }
  return nullptr;
}

/// Says that a helper is done. The job may be gone as soon as its caller knows.
void ThreadPool::leave(Job &job) {
  std::lock_guard lock(mutex);
  --busy;
  if (job.helpers.fetch_sub(1, std::memory_order_release) == 1)
    finished.notify_all();
}

void ThreadPool::help() {
  struct Free {
    void operator()(void *memory) const { std::free(memory); }
  };
  std::unique_ptr<void, Free> own;
  int64_t ownBytes = 0;
  for (;;) {
    uint32_t seen = calls.load(std::memory_order_acquire);
    Job *job = nullptr;
    {
      std::lock_guard lock(mutex);
      job = join();
    }
    if (job) {
      if (job->ownBytes > ownBytes) {
        size_t bytes =
            (static_cast<size_t>(job->ownBytes) + kOwnAlignment - 1) /
            kOwnAlignment * kOwnAlignment;
        own.reset();
        own.reset(std::aligned_alloc(kOwnAlignment, bytes));
        ownBytes = own ? static_cast<int64_t>(bytes) : 0;
      }
      // Without memory the others do the work.
      if (job->ownBytes <= ownBytes)
        work(*job, own.get());
      leave(*job);
      continue;
    }
    auto called = [&] { return calls.load(std::memory_order_acquire) != seen; };
    if (await(called))
      continue;
    std::unique_lock lock(mutex);
    ++asleep;
    wanted.wait(lock, called);
    --asleep;
  }
}
