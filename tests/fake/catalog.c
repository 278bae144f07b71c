#include "catalog.h"
#include "snapshot.h"
#include "store_int.h"

const char fake_links_catalog[] = "catalog";

static void
load_leaf(struct leaf *leaf, const struct target *target, size_t index)
{
	size_t table = 0;

	while (table < FAKE_TABLES &&
		strcmp(fake.table[table].layout.table, target->table) != 0)
		table++;
	*leaf = (struct leaf){
		.oid = FAKE_OID + (uint32_t)table,
		.name = xasprintf("public.%s", target->table),
		.target = index,
		.conf = target,
		.column = xcalloc(target->columns, sizeof(*leaf->column)),
	};
	for (size_t i = 0; i < target->columns; i++)
		leaf->column[i] = (struct leaf_column){
			.name = xstrdup(target->column[i]),
			.carrier = CARRIER_TEXT,
		};
}

int
catalog_load(struct catalog *ret, struct pg *pg, const struct target *target,
	size_t targets, enum catalog_mode mode, struct err *err)
{
	struct catalog c = {.leaves = targets};

	(void)mode;
	if (fake_enter(pg, "catalog_load", err) < 0)
		return -1;
	c.leaf = xcalloc(targets, sizeof(*c.leaf));
	for (size_t i = 0; i < targets; i++)
		load_leaf(&c.leaf[i], &target[i], i);
	if (fake_leave(pg, err) < 0) {
		catalog_done(&c);
		return -1;
	}
	*ret = c;
	return 0;
}

bool
catalog_gone_is_why(
	struct pg *pg, const struct err *err, const uint32_t *oid, size_t count)
{
	(void)pg, (void)err, (void)oid, (void)count;
	return false;
}

int
snapshot_shows(
	bool *ret, struct pg *pg, const struct leaf *leaf, struct err *err)
{
	(void)leaf;
	*ret = true;
	if (fake_enter(pg, "snapshot_shows", err) < 0)
		return -1;
	return fake_leave(pg, err);
}
