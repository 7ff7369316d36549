#include "sync_norm.h"

#include <algorithm>

namespace gapcam::cpu {

NormExchange SyncNorm::exchange() {
  NormExchange exchange;
  exchange.context = this;
  exchange.moments = [](void *self, double *numbers, int64_t channels, double *count) {
    static_cast<SyncNorm *>(self)->moments(numbers, channels, count);
  };
  exchange.sums = [](void *self, double *numbers, int64_t how_many, double *count) {
    static_cast<SyncNorm *>(self)->sums(numbers, how_many, count);
  };
  return exchange;
}

template <class Visit>
void SyncNorm::gather(const double *numbers, int64_t how_many, double count, const Visit &visit) {
  const auto each = static_cast<size_t>(how_many) + 1;
  own_.assign(numbers, numbers + how_many);
  own_.push_back(count);
  all_.resize(each * static_cast<size_t>(communicator_->size()));
  communicator_->all_gather(own_.data(), all_.data(), each * sizeof(double));
  for (size_t start = 0; start < all_.size(); start += each) {
    visit(all_.data() + start, all_[start + each - 1]);
  }
}

// As the kernels merge images: Chan, Golub and LeVeque, "Algorithms for computing the sample
// variance", 1983.
void SyncNorm::moments(double *moments, int64_t channels, double *count) {
  double whole = 0.0;
  double *mean = moments, *squares = moments + channels;
  gather(moments, 2 * channels, *count, [&](const double *other, double more) {
    const double part = more / (whole + more);
    for (int64_t c = 0; c < channels; c++) {
      if (whole == 0.0) mean[c] = squares[c] = 0.0;
      const double distance = other[c] - mean[c];
      mean[c] += distance * part;
      squares[c] += other[channels + c] + distance * distance * whole * part;
    }
    whole += more;
  });
  *count = whole;
}

void SyncNorm::sums(double *sums, int64_t numbers, double *count) {
  double whole = 0.0;
  gather(sums, numbers, *count, [&](const double *other, double more) {
    if (whole == 0.0) std::fill(sums, sums + numbers, 0.0);
    for (int64_t i = 0; i < numbers; i++) sums[i] += other[i];
    whole += more;
  });
  *count = whole;
}

}  // namespace gapcam::cpu
