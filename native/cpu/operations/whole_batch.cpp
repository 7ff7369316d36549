#include <algorithm>
#include <vector>

#include "../lowering.h"
#include "communication/communicator.h"
#include "elementwise.h"

namespace gapcam::cpu {

void lower(Lowering &l, const Operation &o, const WholeBatch &) {
  CpuStorage *own = l.storage(o.inputs[0]), *whole = l.storage(o.inputs[2]);
  const View settings = l.read(o.inputs[1]);
  l.begin(o);
  const View share = l.write(o.outputs[0]);
  const auto communicator = l.fused().graph.communicator;
  const auto all =
      std::make_shared<std::vector<float>>(static_cast<size_t>(communicator->size()) * loss_parts);
  l.run([=, &m = l.memory()] {
    float part[loss_parts];
    take_loss(own->f32(), m.f32(settings), part);
    communicator->all_gather(part, all->data(), sizeof part);
    *m.f32(share) =
        count_whole_loss(whole->f32(), all->data(), communicator->size(), part[loss_part_divisor]);
    own->changed();
    whole->changed();
  });
}

}  // namespace gapcam::cpu
