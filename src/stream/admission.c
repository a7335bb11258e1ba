/* SPDX-License-Identifier: MIT */
#include "stream/admission.h"

#include "stream/quota.h"

void admission_count(struct admission *a, struct quota *addresses, struct quota *users,
		     size_t *n_admitted)
{
	a->quotas[0] = quota_take(addresses, str_of(a->who.address));
	if (users)
		a->quotas[1] = quota_take(users, str_of(a->who.user));
	a->n_admitted = n_admitted;
	++*n_admitted;
}

void admission_give_quotas(struct admission *a, struct quota_entry *to[2])
{
	for (int i = 0; i < 2; i++) {
		to[i] = a->quotas[i];
		a->quotas[i] = NULL;
	}
}

void admission_fini(struct admission *a)
{
	for (int i = 0; i < 2; i++)
		quota_give(a->quotas[i]);
	if (a->n_admitted)
		--*a->n_admitted;
	identity_fini(&a->who);
	subscription_fini(&a->sub);
	*a = (struct admission){0};
}
