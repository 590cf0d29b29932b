#!/usr/bin/env python3
"""Writes values and derivatives of torch's norms, attention and functions of images: vision.py FILE (tests/functions/vision_golden.txt).

Of each case its name, then lines: the values y, and the gradients of sum(y cos(i)) by each argument, all in f64.
Arguments are sin(a i + b). Needs torch; the tests read the file alone.
"""
import torch, torch.nn.functional as F, math, sys
torch.set_default_dtype(torch.float64)
def ramp(*shape, a=1.0, b=0.0):
    n = math.prod(shape)
    return torch.tensor([math.sin(a*i + b) for i in range(n)]).reshape(shape)
out=[]
def case(name, f, *xs):
    xs=[x.clone().requires_grad_(x.is_floating_point()) for x in xs]
    y=f(*xs)
    w=torch.cos(torch.arange(y.numel(),dtype=torch.float64)).reshape(y.shape)
    fl=[x for x in xs if x.is_floating_point()]
    g=torch.autograd.grad((y*w).sum(),fl,allow_unused=True)
    def show(t): return 'nothing' if t is None else ' '.join('%.11g'%v for v in t.detach().flatten().tolist())
    out.append((name,[show(y)]+[show(t) for t in g]))
x=ramp(2,4,3)
w4,b4=ramp(4,b=1)+1.5,ramp(4,b=2)
for tr in (True,False):
    def bn(x,w,b):
        rm,rv=torch.tensor([.1,.2,.3,.4]),torch.tensor([1.,2.,3.,.5])
        y=F.batch_norm(x,rm,rv,w,b,tr,0.2,1e-3)
        return torch.cat([y.flatten(),rm,rv])
    case('batch_norm %d'%tr,bn,x,w4,b4)
case('layer_norm',lambda x,w,b:F.layer_norm(x,(4,3),w,b,1e-4),x,ramp(4,3,b=1),ramp(4,3,b=3))
case('rms_norm',lambda x,w:F.rms_norm(x,(3,),w),x,ramp(3,b=1))
case('group_norm',lambda x,w,b:F.group_norm(x,2,w,b),x,w4,b4)
def inn(x,w,b):
    rm,rv=torch.tensor([.1,.2,.3,.4]),torch.tensor([1.,2.,3.,.5])
    return torch.cat([F.instance_norm(x,rm,rv,w,b,True,0.3).flatten(),rm,rv])
case('instance_norm',inn,x,w4,b4)
case('local_response_norm',lambda x:F.local_response_norm(x,3,0.5,0.75,1.5),x)
case('local_response_norm even',lambda x:F.local_response_norm(x,2),x)
case('normalize',lambda x:F.normalize(x),x)
case('normalize 3',lambda x:F.normalize(x,3,2),x)
q,k,v=ramp(2,3,2),ramp(2,4,2,b=.5),ramp(2,4,3,b=.7)
m=torch.tensor([[1,0,1,1],[0,0,0,0],[1,1,1,0]],dtype=torch.bool)
case('attention',lambda q,k,v:F.scaled_dot_product_attention(q,k,v),q,k,v)
case('attention masked row',lambda q,k,v:F.scaled_dot_product_attention(q,k,v,m),q,k,v)
case('attention bias',lambda q,k,v,a:F.scaled_dot_product_attention(q,k,v,a,scale=0.3),q,k,v,ramp(3,4,b=2))
case('attention causal',lambda q,k,v:F.scaled_dot_product_attention(q,k,v,is_causal=True),q,k,v)
# heads
E=4
X,K=ramp(3,2,E),ramp(5,2,E,b=.3)
W,B=ramp(3*E,E,a=.7),ramp(3*E,b=.2); O,OB=ramp(E,E,a=.9),ramp(E,b=.4)
kp=torch.tensor([[0,0,0,0,1],[0,1,0,0,0]],dtype=torch.bool)
def mh(q,k,v,W,B,O,OB,**o):
    y,p=F.multi_head_attention_forward(q,k,v,E,2,W,B,o.pop('bk',None),o.pop('bv',None),o.pop('z',False),0.0,O,OB,**o)
    return y.flatten() if p is None else torch.cat([y.flatten(),p.flatten()])
case('heads',lambda X,W,B,O,OB:mh(X,X,X,W,B,O,OB),X,W,B,O,OB)
case('heads padding',lambda X,K,W,B,O,OB:mh(X,K,K,W,B,O,OB,key_padding_mask=kp,average_attn_weights=False),X,K,W,B,O,OB)
case('heads mask rows',lambda X,W,B,O,OB,bk,bv:mh(X,X,X,W,B,O,OB,bk=bk,bv=bv,z=True,attn_mask=ramp(3,3,b=5),need_weights=False),X,W,B,O,OB,ramp(1,1,E,b=1),ramp(1,1,E,b=2))
case('heads separate',lambda X,K,V,a,b,c,B,O:mh(X[:,0],K[:,0],V[:,0],None,B,O,None,use_separate_proj_weight=True,q_proj_weight=a,k_proj_weight=b,v_proj_weight=c),X,ramp(5,2,3,b=.3),ramp(5,2,2,b=.6),ramp(E,E),ramp(E,3,b=1),ramp(E,2,b=2),B,O)
y=ramp(1,2,3,4)
for mode in ('reflect','replicate','circular'):
    case('pad '+mode,lambda y:F.pad(y,(2,1,-1,2),mode=mode),y)
case('pad constant',lambda y:F.pad(y,(1,-1,0,2,1,0),value=1.5),y)
im=ramp(1,2,3,4); line=ramp(1,2,5); vol=ramp(1,1,2,3,2)
for mode,t in (('nearest',line),('nearest-exact',line),('area',line),('linear',line),('nearest',im),('nearest-exact',im),('area',im),('bilinear',im),('bicubic',im),('trilinear',vol),('nearest',vol),('area',vol)):
    n=t.dim()-2
    al=(None,True) if 'lin' in mode or 'cub' in mode else (None,)
    for a in al:
        case('interpolate %s %d%s size'%(mode,n,' aligned' if a else ''),lambda t:F.interpolate(t,size=[[7],[5,3],[3,2,5]][n-1],mode=mode,align_corners=a),t)
        case('interpolate %s %d%s scale'%(mode,n,' aligned' if a else ''),lambda t:F.interpolate(t,scale_factor=[1.7,2.0,0.6][:n],mode=mode,align_corners=a),t)
g=ramp(1,3,2,2,a=1.3)*1.4; g3=ramp(1,1,2,2,3,a=1.3)*1.4; cube=ramp(1,2,2,3,2)
for mode in ('bilinear','nearest','bicubic'):
    for p in ('zeros','border','reflection'):
        for a in (False,True):
            case('grid_sample %s %s %d'%(mode,p,a),lambda i,g:F.grid_sample(i,g,mode,p,a),im,g)
            if mode!='bicubic': case('grid_sample 3 %s %s %d'%(mode,p,a),lambda i,g:F.grid_sample(i,g,mode,p,a),cube,g3)
for a in (False,True):
    case('affine_grid %d'%a,lambda t:F.affine_grid(t,(1,1,2,3),a),ramp(1,2,3))
    case('affine_grid 3 %d'%a,lambda t:F.affine_grid(t,(1,1,2,1,3),a),ramp(1,3,4))
case('pixel_shuffle',lambda y:F.pixel_shuffle(y,2),ramp(1,8,2,1))
case('pixel_unshuffle',lambda y:F.pixel_unshuffle(y,2),ramp(1,1,2,4))
case('channel_shuffle',lambda y:F.channel_shuffle(y,2),ramp(1,4,2,1))
with open(sys.argv[1],'w') as f:
    for name,rows in out:
        f.write(name+'\n'); 
        for r in rows: f.write(' '+r+'\n')
print(len(out))
