#include "core/transforms/argument_views.h"

#include <algorithm>

#include "core/storage/views.h"

namespace jot::detail {

std::optional<size_t> WatchedArguments::shown_by(const Tensor& result) const {
  auto it = std::ranges::find(storages_, result.impl()->storage);
  return it == storages_.end() ? std::nullopt : std::optional<size_t>(it - storages_.begin());
}

void WatchedArguments::invoke(void* self, std::span<const Tensor> args, Outputs& out) {
  WatchedArguments& w = *static_cast<WatchedArguments*>(self);
  w.storages_.clear();
  for (const Tensor& t : args) w.storages_.push_back(t.impl()->storage);
  w.fn_.call(w.fn_.self, args, out);
}

std::string WatchedArguments::path(const void* self, Role role, size_t leaf) {
  const Fn& fn = static_cast<const WatchedArguments*>(self)->fn_;
  return fn.path(fn.self, role, leaf);
}

namespace {

// Attributes of a step, with the lanes' dim in front where there are lanes.
class Replay {
 public:
  Replay(Tensor t, bool lanes) : t_(std::move(t)), lanes_(lanes) {}

  // False where the step would copy.
  bool run(const TensorImpl& view) {
    const ViewStep& step = *view.step;
    ir::AttrView attrs(step.op, step.attrs);
    switch (step.op) {
      case ir::Op::dynamic_slice_op: {
        Shape size = led(lane_count(), attrs.ints(ir::Key::sizes)), ones = size;
        std::ranges::fill(ones, 1);
        t_ = strided_view(t_, led(0, step.starts), size, ones, led(lane_count(), view.shape));
        return true;
      }
      case ir::Op::slice_op: {
        Shape start = led(0, attrs.ints(ir::Key::start)), stride = led(1, attrs.ints(ir::Key::stride));
        Shape size = led(lane_count(), attrs.ints(ir::Key::limit));
        for (size_t d = lanes_; d < size.size(); ++d) size[d] = (size[d] - start[d] + stride[d] - 1) / stride[d];
        t_ = strided_view(t_, start, size, stride);
        return true;
      }
      case ir::Op::permute_op: {
        std::vector<int64_t> perm;
        if (lanes_) perm.push_back(0);
        for (int64_t d : attrs.ints(ir::Key::perm)) perm.push_back(d + lanes_);
        t_ = t_.permute(Axes(perm));
        return true;
      }
      case ir::Op::reshape_op:
        return reshape(led(lane_count(), attrs.ints(ir::Key::shape)));
      case ir::Op::broadcast_op: {
        Shape shape = led(lane_count(), attrs.ints(ir::Key::shape)), narrow = shape;
        std::ranges::fill(narrow, 1);
        if (lanes_) narrow[0] = shape[0];
        ir::Ints dims = attrs.ints(ir::Key::dims);
        for (size_t i = 0; i < dims.size(); ++i) narrow[static_cast<size_t>(dims[i]) + lanes_] = extent(i);
        if (!reshape(narrow)) return false;
        t_ = t_.expand(shape);
        return true;
      }
      case ir::Op::gather_op: {
        size_t axis = static_cast<size_t>(attrs.ints(ir::Key::index_map)[0]) + lanes_, k = step.starts.size() / 2;
        ir::Ints windows = step.starts;
        t_ = windowed_view(t_, axis, Shape(windows.first(k)), Shape(windows.last(k)));
        return true;
      }
      case ir::Op::stop_gradient_op:
        t_ = t_.detach();
        return true;
      default:
        return false;
    }
  }
  const Tensor& result() const { return t_; }

 private:
  int64_t lane_count() const { return lanes_ ? t_.impl()->shape[0] : 0; }
  int64_t extent(size_t lane_dim) const { return t_.impl()->shape[lane_dim + lanes_]; }
  Shape led(int64_t first, ir::Ints rest) const {
    Shape shape;
    if (lanes_) shape.push_back(first);
    for (int64_t x : rest) shape.push_back(x);
    return shape;
  }
  bool reshape(const Shape& shape) {
    Tensor r = t_.reshape(shape);
    bool is_view = r.impl()->storage == t_.impl()->storage;
    t_ = std::move(r);
    return is_view;
  }
  Tensor t_;
  bool lanes_;
};

}  // namespace

std::optional<Tensor> view_of_argument(const Tensor& result, const Tensor& argument, bool lanes) {
  std::vector<const TensorImpl*> views;
  for (const TensorImpl* v = result.impl().get(); v->parent; v = v->parent.get()) views.push_back(v);
  Replay replay(argument, lanes);
  for (size_t i = views.size(); i-- > 0;)
    if (!replay.run(*views[i])) return {};
  return replay.result();
}

}  // namespace jot::detail
