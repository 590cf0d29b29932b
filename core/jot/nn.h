// Modules, functions with parameters and buffers; all of torch.nn that docs/modules.md lists.
#pragma once
#include "jot/functional_call.h"
#include "jot/module.h"
#include "jot/nn_attention.h"
#include "jot/nn_containers.h"
#include "jot/nn_functional.h"
#include "jot/nn_init.h"
#include "jot/nn_layers.h"
#include "jot/nn_modules.h"
#include "jot/nn_norms.h"
#include "jot/nn_recurrent.h"
