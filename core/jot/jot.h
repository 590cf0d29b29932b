// The whole interface.
#pragma once
#include "jot/creation.h"
#include "jot/debug.h"
#include "jot/graphs.h"
#include "jot/jit.h"
#include "jot/nn.h"
#include "jot/ops.h"
#include "jot/out.h"
#include "jot/random.h"
#include "jot/tensor.h"
#include "jot/transforms.h"
#include "jot/vmap.h"
