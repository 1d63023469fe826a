#include "ThreadPool.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sched.h>
#include <sstream>
#include <thread>

using namespace acc;

/// The cores that the process's affinity names, however many the machine has.
static int32_t coresOfAffinity() {
  for (int cores = 1024; cores <= 1 << 16; cores *= 2) {
    cpu_set_t *set = CPU_ALLOC(cores);
    if (!set)
      break;
    size_t bytes = CPU_ALLOC_SIZE(cores);
    int count =
        sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (count > 0)
      return count;
  }
  return static_cast<int32_t>(
      std::max(1u, std::thread::hardware_concurrency()));
}

/// Cores by the quota of a control group of version 2, rounded up; 0 if it has
/// none.
static int64_t coresOfGroup(const std::string &folder) {
  std::ifstream file(folder + "/cpu.max");
  std::string quota;
  int64_t period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0)
    return 0;
  int64_t micros = std::strtoll(quota.c_str(), nullptr, 10);
  return micros > 0 ? (micros + period - 1) / period : 0;
}

/// The smallest quota of the process's control group and those around it, in
/// cores; 0 if there is none.
static int64_t coresOfQuota() {
  std::ifstream groups("/proc/self/cgroup");
  std::string line, path = "/";
  while (std::getline(groups, line))
    if (line.rfind("0::", 0) == 0)
      path = line.substr(3);
  int64_t least = 0;
  for (;;) {
    int64_t cores = coresOfGroup("/sys/fs/cgroup" + path);
    if (cores > 0 && (least == 0 || cores < least))
      least = cores;
    size_t slash = path.rfind('/');
    if (slash == std::string::npos || path.size() <= 1)
      return least;
    path.resize(slash);
  }
}

int32_t acc::usableCores() {
  int64_t cores = coresOfAffinity(), quota = coresOfQuota();
  if (quota > 0)
    cores = std::min(cores, quota);
  return static_cast<int32_t>(std::clamp<int64_t>(cores, 1, ACC_MOST_THREADS));
}

std::string acc::checkThreads(int64_t threads) {
  if (threads >= 1 && threads <= ACC_MOST_THREADS)
    return "";
  return std::to_string(threads) +
         " threads cannot run a model: the number is " + "from 1 to " +
         std::to_string(ACC_MOST_THREADS);
}
