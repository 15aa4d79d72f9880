"""The sweep of dtypes: everything public in narrow numbers against float64, eager and recorded.

``python -m fuzz.dtypes`` runs it in full, with `tests` on the path; ``--help`` names its parts.

**How much a result may be off.** Rounding each number once costs half an epsilon, and that much
of what rounded inputs change the result by, which three draws of such inputs measure. The rest is
the cost of sums. One of n terms, one after another, is off by about √n half epsilons of what it
is (N. J. Higham, T. Mary, "A new approach to probabilistic rounding error analysis", 2019; n in
the worst case). Every sum of the library is of blocks of at most 256 terms, or pairwise, which
is less: 8 epsilons. The longest way from inputs to a result leads through two sums, such as the
mean and the variance of a norm, or those of its derivative: 16 epsilons, √256, on every library,
in every dtype, at every length. A kernel of a library that adds one after another is replaced by
its adapter; where it stays, for its speed, the case says how many terms that are (`Case.terms`).

In 16 bits sums are taken in float32, and what is rounded is what one part of a layer hands to the
next. No case has 16 such roundings behind one another; on NumPy none needs more than 8.
"""
