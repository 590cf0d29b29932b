// Convolutions by oneDNN: forward, and the two backward ones, as which a convolution of a dilated operand with a window
// that is flipped, and one whose window is larger than its result, are known to it. Its kernels want operands in
// layouts of blocks of channels: each task reorders its part of the operands into the scratch, runs, and reorders the
// result, on one thread. Tasks are parts of the batch, or else of the channels that are made; which, depends on sizes
// only.
#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>

#include "backends/cpu/kernel/lower_ops.h"
#include "backends/cpu/library/conv.h"
#include "backends/cpu/library/onednn.h"
#include "backends/cpu/runtime/plan.h"
#include "backends/cpu/runtime/pool.h"

namespace jot::cpu {
namespace {

using Desc = dnnl::memory::desc;
using Dims = dnnl::memory::dims;
using ir::WindowAxis;
constexpr auto kF32 = dnnl::memory::data_type::f32;

dnnl::memory memory(const Desc& d, const void* data) {
  return dnnl::memory(d, onednn_engine(), const_cast<void*>(data));
}
int64_t bytes_of(const Desc& d) { return aligned(static_cast<int64_t>(d.get_size())); }

// From one layout to another, if these differ.
class Reorder {
 public:
  Reorder() = default;
  Reorder(const Desc& from, const Desc& to) : from_(from), to_(to), needed_(from != to) {
    // Attributes by name: oneDNN's default ones are a static object, whose destructor would run at exit.
    if (needed_) primitive_ = dnnl::reorder({onednn_engine(), from, onednn_engine(), to, dnnl::primitive_attr()});
  }
  int64_t room() const { return needed_ ? bytes_of(to_) : 0; }
  // Of what is read: the data itself, or its copy in the room.
  const void* operator()(const void* data, void* room) const {
    if (!needed_) return data;
    run(data, room);
    return room;
  }
  void run(const void* data, void* to) const {
    dnnl::memory source = memory(from_, data), target = memory(to_, to);
    primitive_.execute(onednn_stream(), source, target);
  }
  bool needed() const { return needed_; }

 private:
  Desc from_, to_;
  bool needed_ = false;
  dnnl::reorder primitive_;
};

// A convolution as oneDNN sees one: src * weights = dst, of which one is made from the two others.
enum class Made : uint8_t { dst, src, weights };

struct Geometry {
  Made made = Made::dst;
  Dims src, kernel, dst, strides, dilations, lo, hi;  // along the axes
};

bool geometry_of(const Conv& c, Geometry& g) {
  auto all = [&](int64_t WindowAxis::*member) {
    return std::ranges::all_of(c.axes, [&](const WindowAxis& a) { return a.*member == 1; });
  };
  const bool dense = all(&WindowAxis::x_dilation);
  if (c.flip ? !all(&WindowAxis::stride) : !dense) return false;
  g.made = c.flip ? Made::src : c.of_weights() ? Made::weights : Made::dst;
  for (const WindowAxis& a : c.axes) {
    int64_t src = a.extent, kernel = a.window, dst = a.places(), stride = a.stride, dilation = a.w_dilation, lo = a.lo;
    if (g.made == Made::src) {
      std::swap(src, dst);
      stride = a.x_dilation;
      lo = a.reach() - 1 - a.lo;
    } else if (g.made == Made::weights) {
      std::swap(kernel, dst);
      std::swap(stride, dilation);
    }
    const int64_t hi = (dst - 1) * stride + (kernel - 1) * dilation + 1 - src - lo;
    if (lo < 0) return false;
    g.src.push_back(src);
    g.kernel.push_back(kernel);
    g.dst.push_back(dst);
    g.strides.push_back(stride);
    g.dilations.push_back(dilation - 1);
    g.lo.push_back(lo);
    g.hi.push_back(hi);
  }
  return true;
}

// A part of a convolution: so many of the batch (that is summed, where weights are made), of its groups and of the
// channels on the side that is cut.
struct Part {
  int64_t batch, groups, channels;
  friend auto operator<=>(const Part&, const Part&) = default;
};

// Its primitive; x, w and y are the operands and the result of the op.
struct Primitive {
  dnnl::primitive run;
  Desc x, w, y, scratchpad;  // y: as it is made
  Reorder in_x, in_w, out_y;
};

class OneDnnConv : public ConvRoutine {
 public:
  OneDnnConv(const Conv& conv, Geometry geometry) : ConvRoutine(conv), g(std::move(geometry)) {
    library = onednn_title();
    // Groups that go through one primitive; the others are tasks.
    const bool of_x =
        channels_step(c.x, g.made == Made::weights ? c.x.first : c.x.second, g.made == Made::weights ? c.batch : c.in);
    const bool of_y = g.made == Made::weights || channels_step(c.y, c.y.second, c.out);
    const bool of_w = g.made != Made::weights || channels_step(c.w, c.w.first, c.out);
    grouped = c.groups > 1 && of_x && of_y && of_w;
    outer = grouped ? 1 : c.groups;
  }

  // False where oneDNN takes it not.
  virtual bool prepare() = 0;

 protected:
  bool channels_step(const ConvSteps& s, int64_t step, int64_t channels) const {
    return c.groups == 1 || channels == 1 || s.group == step * channels;
  }
  int64_t inner() const { return c.groups / outer; }

  // Batch and channels, of all groups of a part, and the axes.
  Desc operand(const ConvSteps& s, int64_t batch, int64_t batch_step, int64_t groups, int64_t channels, int64_t step,
               const Dims& extents) const {
    Dims dims = {batch, groups * channels}, steps = {0, groups > 1 && channels == 1 ? s.group : step};
    return described(std::move(dims), std::move(steps), batch_step, s, extents);
  }
  Desc window(const ConvSteps& s, int64_t groups, int64_t out, int64_t out_step, int64_t in, int64_t in_step,
              const Dims& extents) const {
    Dims dims = {out, in}, steps = {out_step, in_step};
    if (grouped) {
      dims.insert(dims.begin(), groups);
      steps.insert(steps.begin(), s.group);
    }
    const int64_t first = steps[0];
    return described(std::move(dims), std::move(steps), first, s, extents);
  }
  // oneDNN wants positive steps where an axis has extent 1, too.
  Desc described(Dims dims, Dims steps, int64_t first_step, const ConvSteps& s, const Dims& extents) const {
    steps[0] = first_step;
    for (size_t d = 0; d < extents.size(); ++d) {
      dims.push_back(extents[d]);
      steps.push_back(s.spatial[d]);
    }
    int64_t least = 1;
    for (size_t d = dims.size(); d-- > 0; least *= dims[d])
      if (dims[d] == 1 || steps[d] == 0) steps[d] = positive(dims[d] == 1 ? 0 : steps[d], least);
    return Desc(dims, kF32, steps);
  }

  // In whatever layout oneDNN likes.
  static Desc any(const Desc& d) { return Desc(d.get_dims(), kF32, dnnl::memory::format_tag::any); }

  // What several parts have in one layout, those whose `same` is the same: that of the first of them.
  template <class Same>
  Desc layout_of(Desc Primitive::*member, const Part& part, Same same, const Desc& d) const {
    for (const auto& [other, p] : primitives_)
      if (other.groups == part.groups && other.*same == part.*same) return p.*member;
    return any(d);
  }

  // Its operands lie as x and w, its result as y.
  void keep(Part part, Primitive p, const Desc& x, const Desc& w, const Desc& y) {
    p.in_x = Reorder(x, p.x);
    p.in_w = Reorder(w, p.w);
    p.out_y = Reorder(p.y, y);
    primitives_.emplace(part, std::move(p));
  }

  std::map<Part, Primitive> primitives_;
  const Geometry g;
  bool grouped = false;
  int64_t outer = 1;  // groups that are tasks
  int64_t worker_bytes = 0;
};

constexpr int64_t kCached = 1 << 20;  // bytes of operands that a task works on at a time
int64_t blocks_of(int64_t n, int64_t block) { return (n + block - 1) / block; }

dnnl::primitive_attr attributes() {
  dnnl::primitive_attr a;
  a.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return a;
}

// ---- the result is dst or src

class OneDnnForward final : public OneDnnConv {
 public:
  using OneDnnConv::OneDnnConv;

  bool prepare() override {
    const int64_t one = size * inner() * (c.in * c.extent() + c.out * c.places());  // bytes of one of the batch
    const int64_t weights = size * inner() * c.in * c.out * c.window();
    groups_ = inner(), channels_ = c.out;
    int64_t& cut = grouped ? groups_ : channels_;
    // Of weights that are larger than all else each task reads its own.
    const bool whole_batch = weights > one * c.batch && cut >= 64;
    batch_ = std::clamp<int64_t>(std::max(kCached, weights) / one, 1, std::max<int64_t>((c.batch + 1) / 2, 1));
    if (whole_batch) batch_ = c.batch;
    batches_ = blocks_of(c.batch, batch_);
    if (batches_ * outer == 1 && c.terms() > 1e6 && cut >= 32) cut = std::max<int64_t>(blocks_of(cut, 4) / 16 * 16, 16);
    cuts_ = blocks_of(inner(), groups_) * blocks_of(c.out, channels_);
    for (int64_t batch : {batch_, c.batch % batch_})
      for (int64_t groups : {groups_, inner() % groups_})
        for (int64_t channels : {channels_, c.out % channels_})
          if (batch * groups * channels > 0 && !make({batch, groups, channels})) return false;
    for (auto& [part, p] : primitives_) {
      weights_bytes_ = std::max(weights_bytes_, p.in_w.room());
      room_x_ = std::max(room_x_, p.in_x.room());
      room_y_ = std::max(room_y_, p.out_y.needed() ? bytes_of(p.y) : 0);
      worker_bytes = std::max(worker_bytes, aligned(static_cast<int64_t>(p.scratchpad.get_size())));
    }
    if (cuts_ > 1 && groups_ == inner()) xs_ = outer * batches_;
    worker_bytes += room_x_ + room_y_;
    scratch_bytes += worker_bytes * num_threads() + outer * cuts_ * weights_bytes_ + xs_ * room_x_;
    return true;
  }

 private:
  bool make(Part part) {
    if (primitives_.contains(part)) return true;
    const bool forward = g.made == Made::dst;
    const Desc x = operand(c.x, part.batch, c.x.first, part.groups, c.in, c.x.second, forward ? g.src : g.dst);
    const Desc y = operand(c.y, part.batch, c.y.first, part.groups, part.channels, c.y.second, forward ? g.dst : g.src);
    const Desc w = forward ? window(c.w, part.groups, part.channels, c.w.first, c.in, c.w.second, g.kernel)
                           : window(c.w, part.groups, c.in, c.w.second, part.channels, c.w.first, g.kernel);
    // Where a window is one element products need no blocks; few channels fill none.
    const bool plain = !grouped && ((c.window() == 1 && c.extent() == c.places()) || (!forward && part.channels < 16));
    const Desc like_x = plain ? x : layout_of(&Primitive::x, part, &Part::batch, x), like_y = plain ? y : any(y);
    const Desc like_w = layout_of(&Primitive::w, part, &Part::channels, w);
    constexpr auto direct = dnnl::algorithm::convolution_direct;
    const Desc src = forward ? like_x : like_y, dst = forward ? like_y : like_x;
    dnnl::convolution_forward::primitive_desc f(onednn_engine(), dnnl::prop_kind::forward_training, direct, src, like_w,
                                                dst, g.strides, g.dilations, g.lo, g.hi, attributes(), true);
    if (!f) return false;
    Primitive p;
    if (forward) {
      p.x = f.src_desc(), p.w = f.weights_desc(), p.y = f.dst_desc(), p.scratchpad = f.scratchpad_desc();
      p.run = dnnl::convolution_forward(f);
    } else {
      dnnl::convolution_backward_data::primitive_desc b(onednn_engine(), direct, src, like_w, dst, g.strides,
                                                        g.dilations, g.lo, g.hi, f, attributes(), true);
      if (!b) return false;
      p.x = b.diff_dst_desc(), p.w = b.weights_desc(), p.y = b.diff_src_desc(), p.scratchpad = b.scratchpad_desc();
      p.run = dnnl::convolution_backward_data(b);
    }
    keep(part, std::move(p), x, w, y);
    return true;
  }

  // Of a cut: its groups and channels from where on.
  struct Cut {
    int64_t group, channel;
    Part part;
  };
  Cut cut(int64_t i) const {
    const int64_t channel_blocks = blocks_of(c.out, channels_);
    const int64_t group = i / channel_blocks * groups_, channel = i % channel_blocks * channels_;
    return {group, channel, {batch_, std::min(groups_, inner() - group), std::min(channels_, c.out - channel)}};
  }
  const float* weights_of(const float* w, int64_t group, const Cut& at) const {
    return w + (group + at.group) * c.w.group + at.channel * c.w.first;
  }
  // Of a task, and how it is made.
  struct Input {
    const float* data;
    const Primitive& primitive;
  };
  Input input(const void* x, int64_t group, int64_t batch, Cut at) const {
    const int64_t first = batch * batch_;
    at.part.batch = std::min(batch_, c.batch - first);
    return {static_cast<const float*>(x) + (group + at.group) * c.x.group + first * c.x.first, primitives_.at(at.part)};
  }

  void convolve(const void* x, const void* w, void* y, std::byte* scratch) const override {
    std::byte *weights = scratch + worker_bytes * num_threads(), *xs = weights + outer * cuts_ * weights_bytes_;
    const auto* W = static_cast<const float*>(w);
    const int64_t shared_x = room_x_ > 0 ? xs_ : 0, shared_w = weights_bytes_ > 0 ? outer * cuts_ : 0;
    auto shared_task = [&](int64_t t, int) {
      OneThread one;
      if (t < shared_x) {
        const Input in = input(x, t / batches_, t % batches_, cut(0));
        in.primitive.in_x(in.data, xs + t * room_x_);
      } else {
        t -= shared_x;
        const Cut at = cut(t % cuts_);
        primitives_.at(at.part).in_w(weights_of(W, t / cuts_, at), weights + t * weights_bytes_);
      }
    };
    parallel_for(shared_x + shared_w, shared_task);
    auto task = [&](int64_t t, int worker) {
      OneThread one;
      const int64_t group = t / (cuts_ * batches_), batch = t / cuts_ % batches_;
      const Cut at = cut(t % cuts_);
      const auto [from, p] = input(x, group, batch, at);
      std::byte* room = scratch + worker * worker_bytes;
      const void* source = xs + (group * batches_ + batch) * room_x_;
      if (shared_x == 0 || !p.in_x.needed()) source = p.in_x(from, room);
      float* to = static_cast<float*>(y) + (group + at.group) * c.y.group + batch * batch_ * c.y.first +
                  at.channel * c.y.second;
      void* made = p.out_y.needed() ? static_cast<void*>(room + room_x_) : to;
      const void* kernel = weights + (group * cuts_ + t % cuts_) * weights_bytes_;
      if (!p.in_w.needed()) kernel = weights_of(W, group, at);
      const bool forward = g.made == Made::dst;
      p.run.execute(onednn_stream(), {{forward ? DNNL_ARG_SRC : DNNL_ARG_DIFF_DST, memory(p.x, source)},
                                      {DNNL_ARG_WEIGHTS, memory(p.w, kernel)},
                                      {forward ? DNNL_ARG_DST : DNNL_ARG_DIFF_SRC, memory(p.y, made)},
                                      {DNNL_ARG_SCRATCHPAD, memory(p.scratchpad, room + room_x_ + room_y_)}});
      if (p.out_y.needed()) p.out_y.run(made, to);
    };
    parallel_for(outer * cuts_ * batches_, task);
  }

  int64_t batch_ = 1, batches_ = 1;               // of a task; how many
  int64_t groups_ = 1, channels_ = 1, cuts_ = 1;  // of a task; how many of both
  int64_t xs_ = 0;                                // parts of x that several tasks read
  int64_t room_x_ = 0, room_y_ = 0, weights_bytes_ = 0;
};

// ---- the result is the weights: sums over parts of the batch, each task's in its own scratch

// y[j] += x[j] for j < n. Arguments: x, y, n.
Kernel adding(int lanes) {
  KernelBuilder b(lanes);
  const uint32_t x = b.arg(1), y = b.arg(2);
  b.read_write(y);
  const uint32_t j = b.vloop(b.arg(3));
  b.store(b.add(b.load(KType::f32, y, j), b.load(KType::f32, x, j)), y, j);
  b.endloop();
  return std::move(b).finish();
}

class OneDnnWeights final : public OneDnnConv {
 public:
  using OneDnnConv::OneDnnConv;

  bool prepare() override {
    const int64_t one = size * inner() * (c.batch * c.extent() + c.out * c.window());
    const int64_t made = size * inner() * c.batch * c.out * c.places();
    shares_ =
        outer > 1 ? 1 : std::clamp<int64_t>(c.in * one / std::max(made, kCached / 2), 1, std::min<int64_t>(c.in, 4));
    share_ = blocks_of(c.in, shares_);
    shares_ = blocks_of(c.in, share_);
    batch_ = std::clamp<int64_t>(std::max(kCached, made) / one, 1, share_);
    groups_ = inner(), channels_ = c.out;
    if (shares_ * outer == 1 && c.terms() > 1e6) {
      int64_t& cut = grouped ? groups_ : channels_;
      if (cut >= 32) cut = std::max<int64_t>(blocks_of(cut, 4) / 16 * 16, 16);
    }
    cuts_ = blocks_of(inner(), groups_) * blocks_of(c.out, channels_);
    for (int64_t share : {share_, c.in - (shares_ - 1) * share_})
      for (int64_t batch : {std::min(batch_, share), share % batch_})
        for (int64_t groups : {groups_, inner() % groups_})
          for (int64_t channels : {channels_, c.out % channels_})
            if (batch * groups * channels > 0 && !make({batch, groups, channels})) return false;
    int64_t scratchpad = 0;
    for (auto& [part, p] : primitives_) {
      made_bytes_ = std::max(made_bytes_, bytes_of(p.y));
      room_x_ = std::max(room_x_, p.in_x.room());
      room_w_ = std::max(room_w_, p.in_w.room());
      scratchpad = std::max(scratchpad, aligned(static_cast<int64_t>(p.scratchpad.get_size())));
    }
    worker_bytes = room_x_ + room_w_ + made_bytes_ + scratchpad;
    scratch_bytes += worker_bytes * num_threads() + outer * cuts_ * shares_ * made_bytes_;
    add_ = InnerKernel(adding(InnerKernel::lanes(4)));
    return true;
  }

 private:
  bool make(Part part) {
    if (primitives_.contains(part)) return true;
    const Desc x = operand(c.x, part.batch, c.x.second, part.groups, c.batch, c.x.first, g.src);
    const Desc w = operand(c.w, part.batch, c.w.second, part.groups, part.channels, c.w.first, g.dst);
    const Desc y = window(c.y, part.groups, part.channels, c.y.second, c.batch, c.y.first, g.kernel);
    const bool plain = !grouped && c.places() == 1 && c.extent() == c.window();
    const Desc like_x = plain ? x : any(x), like_w = plain ? w : any(w),
               like_y = layout_of(&Primitive::y, part, &Part::channels, y);
    constexpr auto direct = dnnl::algorithm::convolution_direct;
    dnnl::convolution_forward::primitive_desc f(onednn_engine(), dnnl::prop_kind::forward_training, direct, like_x,
                                                like_y, like_w, g.strides, g.dilations, g.lo, g.hi, attributes(), true);
    if (!f) return false;
    dnnl::convolution_backward_weights::primitive_desc b(onednn_engine(), direct, like_x, like_y, like_w, g.strides,
                                                         g.dilations, g.lo, g.hi, f, attributes(), true);
    if (!b) return false;
    Primitive p;
    p.x = b.src_desc(), p.w = b.diff_dst_desc(), p.y = b.diff_weights_desc(), p.scratchpad = b.scratchpad_desc();
    p.run = dnnl::convolution_backward_weights(b);
    keep(part, std::move(p), x, w, y);
    return true;
  }

  struct Cut {
    int64_t group, channel;
    Part part;
  };
  Cut cut(int64_t i) const {
    const int64_t channel_blocks = blocks_of(c.out, channels_);
    const int64_t group = i / channel_blocks * groups_, channel = i % channel_blocks * channels_;
    return {group,
            channel,
            {std::min(batch_, share_), std::min(groups_, inner() - group), std::min(channels_, c.out - channel)}};
  }

  void convolve(const void* x, const void* w, void* y, std::byte* scratch) const override {
    std::byte* sums = scratch + worker_bytes * num_threads();
    auto task = [&](int64_t t, int worker) {
      OneThread one;
      const int64_t group = t / (cuts_ * shares_), first = t % shares_ * share_;
      Cut at = cut(t / shares_ % cuts_);
      std::byte *room = scratch + worker * worker_bytes, *sum = sums + t * made_bytes_;
      for (int64_t i = first; i < std::min(first + share_, c.in); i += batch_) {
        at.part.batch = std::min({batch_, c.in - i, first + share_ - i});
        const Primitive& p = primitives_.at(at.part);
        const float* from = static_cast<const float*>(x) + (group + at.group) * c.x.group + i * c.x.second;
        const float* ct =
            static_cast<const float*>(w) + (group + at.group) * c.w.group + i * c.w.second + at.channel * c.w.first;
        std::byte* made = i == first ? sum : room + room_x_ + room_w_;
        p.run.execute(onednn_stream(),
                      {{DNNL_ARG_SRC, memory(p.x, p.in_x(from, room))},
                       {DNNL_ARG_DIFF_DST, memory(p.w, p.in_w(ct, room + room_x_))},
                       {DNNL_ARG_DIFF_WEIGHTS, memory(p.y, made)},
                       {DNNL_ARG_SCRATCHPAD, memory(p.scratchpad, room + room_x_ + room_w_ + made_bytes_)}});
        if (i != first) add(made, sum, static_cast<int64_t>(p.y.get_size()) / size);
      }
    };
    parallel_for(outer * cuts_ * shares_, task);
    auto finish = [&](int64_t t, int) {
      OneThread one;
      const Cut at = cut(t % cuts_);
      const Primitive& p = primitives_.at(at.part);
      std::byte* sum = sums + t * shares_ * made_bytes_;
      for (int64_t s = 1; s < shares_; ++s)
        add(sum + s * made_bytes_, sum, static_cast<int64_t>(p.y.get_size()) / size);
      float* to = static_cast<float*>(y) + (t / cuts_ + at.group) * c.y.group + at.channel * c.y.second;
      if (p.out_y.needed())
        p.out_y.run(sum, to);
      else
        std::memcpy(to, sum, p.y.get_size());
    };
    parallel_for(outer * cuts_, finish);
  }
  void add(const std::byte* x, std::byte* y, int64_t n) const {
    const int64_t args[] = {0, address(x), address(y), n};
    add_(args);
  }

  InnerKernel add_;
  int64_t share_ = 1, shares_ = 1, batch_ = 1;  // of the batch: of a task, how many, at a time
  int64_t groups_ = 1, channels_ = 1, cuts_ = 1;
  int64_t room_x_ = 0, room_w_ = 0, made_bytes_ = 0;
};

}  // namespace

std::unique_ptr<const Routine> make_onednn_conv(const Conv& conv) {
  Geometry geometry;
  if (conv.axes.size() > 3 || conv.terms() == 0 || conv.extent() == 0 || !geometry_of(conv, geometry)) return nullptr;
  OneThread one;
  std::unique_ptr<OneDnnConv> r;
  if (geometry.made == Made::weights)
    r = std::make_unique<OneDnnWeights>(conv, std::move(geometry));
  else
    r = std::make_unique<OneDnnForward>(conv, std::move(geometry));
  try {
    if (!r->prepare()) return nullptr;
  } catch (const dnnl::error& e) {
    internal_error("oneDNN makes a convolution", std::string(e.message));
  }
  return r;
}

}  // namespace jot::cpu
