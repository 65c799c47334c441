// knex, Sequelize, TypeORM and Drizzle against a running sluice: each makes tables, writes, reads back what it wrote, looks
// at the schema, and rolls back. Run in a folder with these packages: node orm.js PORT
'use strict';
const assert = require('assert');
const at = { host: '127.0.0.1', port: Number(process.argv[2]), user: 'sluice', database: 'sluice' };
const day = new Date('2026-02-28T01:02:03.004Z');

async function knexWorks() {
  const knex = require('knex')({ client: 'pg', connection: at, pool: { min: 0, max: 2 } });
  try {
    await knex.schema.dropTableIfExists('lines').dropTableIfExists('orders');
    await knex.schema.createTable('orders', table => {
      table.increments('id');
      table.string('code', 20).notNullable().unique();
      table.decimal('amount', 12, 2).defaultTo(0);
      table.jsonb('doc');
      table.specificType('tags', 'text[]');
      table.timestamp('made', { useTz: true });
      table.boolean('open').defaultTo(true);
    });
    await knex.schema.createTable('lines', table => {
      table.bigIncrements('id');
      table.integer('order_id').notNullable().references('id').inTable('orders').index();
      table.integer('count').notNullable();
    });
    const made = await knex('orders').insert([
      { code: 'a', amount: '12.50', doc: JSON.stringify({ x: [1, null] }), tags: ['p', 'q"r'], made: day },
      { code: 'b' },
    ]).returning(['id', 'code']);
    assert.deepStrictEqual(made, [{ id: 1, code: 'a' }, { id: 2, code: 'b' }]);
    await knex('lines').insert([{ order_id: 1, count: 3 }, { order_id: 1, count: 4 }, { order_id: 2, count: 5 }]);
    const row = await knex('orders').where({ code: 'a' }).first();
    assert.deepStrictEqual({ ...row },
      { id: 1, code: 'a', amount: '12.50', doc: { x: [1, null] }, tags: ['p', 'q"r'], made: day, open: true });
    const sums = await knex('orders').join('lines', 'orders.id', 'lines.order_id').groupBy('code').orderBy('code')
      .select('code').sum({ total: 'lines.count' });
    assert.deepStrictEqual(sums, [{ code: 'a', total: '7' }, { code: 'b', total: '5' }]);
    await knex('orders').insert({ code: 'a', amount: 1 }).onConflict('code').merge(['amount']);
    assert.strictEqual((await knex('orders').where({ code: 'a' }).first('amount')).amount, '1.00');
    await assert.rejects(knex('orders').insert({ code: 'a' }), error => error.code === '23505' && error.constraint === 'orders_code_unique');
    await assert.rejects(knex.transaction(async t => { await t('orders').where({ id: 2 }).update({ amount: 9 }); throw new Error('back'); }));
    assert.strictEqual((await knex('orders').where({ id: 2 }).first('amount')).amount, '0.00');
    assert.deepStrictEqual([await knex.schema.hasTable('orders'), await knex.schema.hasColumn('orders', 'none')], [true, false]);
    const info = await knex('orders').columnInfo();
    assert.deepStrictEqual([info.code.type, info.code.maxLength, info.code.nullable, info.tags.type], ['character varying', 20, false, 'ARRAY']);
    await knex.schema.alterTable('orders', table => { table.text('note'); });
    let streamed = 0;
    for await (const line of knex('lines').orderBy('id').stream()) streamed += line.count;
    assert.strictEqual(streamed, 12);
    await knex.schema.dropTable('lines').dropTable('orders');
  } finally {
    await knex.destroy();
  }
}

async function sequelizeWorks() {
  const { Sequelize, DataTypes, Op } = require('sequelize');
  const sequelize = new Sequelize({ dialect: 'postgres', host: at.host, port: at.port, username: at.user, database: at.database, logging: false });
  try {
    const Customer = sequelize.define('customer', { name: { type: DataTypes.STRING(40), allowNull: false, unique: true }, born: DataTypes.DATEONLY });
    const Order = sequelize.define('purchase', {
      id: { type: DataTypes.UUID, defaultValue: DataTypes.UUIDV4, primaryKey: true },
      amount: DataTypes.DECIMAL(12, 2), doc: DataTypes.JSONB, tags: DataTypes.ARRAY(DataTypes.TEXT), made: DataTypes.DATE,
    });
    // Its own defaults are actions, which foreign keys here do not have.
    const plain = { onDelete: 'NO ACTION', onUpdate: 'NO ACTION' };
    Customer.hasMany(Order, plain);
    Order.belongsTo(Customer, plain);
    await sequelize.authenticate();
    await sequelize.sync({ force: true });
    const anna = await Customer.create({ name: 'Anna', born: '1990-02-28' });
    await anna.createPurchase({ amount: '12.50', doc: { a: [1, null] }, tags: ['x', 'y z'], made: day });
    await anna.createPurchase({ amount: 3 });
    await Customer.bulkCreate([{ name: 'Bert' }, { name: 'Zoë' }]);
    const found = await Customer.findOne({ where: { name: 'Anna' }, include: [Order], order: [[Order, 'amount', 'DESC']] });
    assert.strictEqual(found.born, '1990-02-28');
    const first = found.purchases[0];
    assert.deepStrictEqual([first.amount, first.doc, first.tags, first.made], ['12.50', { a: [1, null] }, ['x', 'y z'], day]);
    const names = await Customer.findAll({ where: { name: { [Op.iLike]: '%e%' } }, order: ['name'], attributes: ['name'], raw: true });
    assert.deepStrictEqual(names, [{ name: 'Bert' }]);
    assert.deepStrictEqual([await Order.count(), await Order.sum('amount'), await Customer.max('id')], [2, 15.5, 3]);
    const { count, rows } = await Customer.findAndCountAll({ order: ['id'], limit: 1, offset: 1 });
    assert.deepStrictEqual([count, rows[0].name], [3, 'Bert']);
    assert.deepStrictEqual(await Customer.update({ born: '2000-01-01' }, { where: { name: 'Bert' } }), [1]);
    await assert.rejects(Customer.create({ name: 'Anna' }), { name: 'SequelizeUniqueConstraintError' });
    await assert.rejects(sequelize.transaction(async transaction => { await Customer.create({ name: 'Q' }, { transaction }); throw new Error('back'); }));
    assert.strictEqual(await Customer.count(), 3);
    const described = await sequelize.getQueryInterface().describeTable('purchases');
    assert.deepStrictEqual([described.id.type, described.id.primaryKey, described.amount.type, described.doc.type], ['UUID', true, 'NUMERIC', 'JSONB']);
    const indexes = await sequelize.getQueryInterface().showIndex('customers');
    // It looks by name in all schemas: the server may have other tables of this name.
    const shown = indexes.map(i => [i.primary, i.unique, i.fields.map(f => f.attribute).join()].join(' '));
    assert.deepStrictEqual([...new Set(shown)].sort(), ['false true name', 'true true id']);
    const keys = await sequelize.getQueryInterface().getForeignKeyReferencesForTable('purchases');
    assert.deepStrictEqual(keys.map(k => [k.columnName, k.referencedTableName, k.referencedColumnName]), [['customerId', 'customers', 'id']]);
    assert.deepStrictEqual((await sequelize.getQueryInterface().showAllTables()).filter(t => /^(purchases|customers)$/.test(t)).sort(), ['customers', 'purchases']);
    await sequelize.sync({ alter: true });
    await sequelize.drop();
  } finally {
    await sequelize.close();
  }
}

async function typeormWorks() {
  require('reflect-metadata');
  const { DataSource, EntitySchema, MoreThan } = require('typeorm');
  const Author = new EntitySchema({
    name: 'Author', columns: { id: { type: Number, primary: true, generated: true }, name: { type: String, length: 40, unique: true } },
    relations: { books: { type: 'one-to-many', target: 'Book', inverseSide: 'author' } },
  });
  const Book = new EntitySchema({
    name: 'Book',
    columns: {
      id: { type: 'uuid', primary: true, generated: 'uuid' }, title: { type: 'text' }, price: { type: 'numeric', precision: 10, scale: 2, nullable: true },
      doc: { type: 'jsonb', nullable: true }, tags: { type: 'text', array: true, default: () => "'{}'" },
      made: { type: 'timestamp with time zone', createDate: true },
    },
    relations: { author: { type: 'many-to-one', target: 'Author', joinColumn: { name: 'author_id' }, inverseSide: 'books' } },
  });
  const source = new DataSource({ type: 'postgres', host: at.host, port: at.port, username: at.user, database: at.database,
    entities: [Author, Book], synchronize: true, dropSchema: false, uuidExtension: 'pgcrypto', installExtensions: false });
  await source.initialize();
  try {
    const authors = source.getRepository('Author'), books = source.getRepository('Book');
    const anna = await authors.save({ name: 'Anna' });
    await books.save([{ title: 'One', price: '9.50', doc: { a: 1 }, tags: ['x', 'y'], author: anna }, { title: 'Two', author: anna }]);
    const read = await authors.findOne({ where: { name: 'Anna' }, relations: { books: true }, order: { books: { title: 'ASC' } } });
    assert.deepStrictEqual(read.books.map(b => [b.title, b.price, b.doc, b.tags]), [['One', '9.50', { a: 1 }, ['x', 'y']], ['Two', null, null, []]]);
    assert.ok(read.books[0].made instanceof Date);
    assert.strictEqual(await books.count({ where: { price: MoreThan(5) } }), 1);
    const sums = await books.createQueryBuilder('b').innerJoin('b.author', 'a').select('a.name', 'name').addSelect('SUM(b.price)', 'total').groupBy('a.name').getRawMany();
    assert.deepStrictEqual(sums.map(s => ({ ...s })), [{ name: 'Anna', total: '9.50' }]);
    await assert.rejects(authors.insert({ name: 'Anna' }), error => error.driverError.code === '23505');
    await assert.rejects(source.transaction(async manager => { await manager.getRepository('Author').save({ name: 'Q' }); throw new Error('back'); }));
    assert.strictEqual(await authors.count(), 1);
    // A schema that is there already is found to be as it should.
    const again = await source.driver.createSchemaBuilder().log();
    assert.deepStrictEqual(again.upQueries.map(q => q.query), []);
    await assert.rejects(authors.remove({ ...read }), error => error.driverError.code === '23503');
    await books.remove(read.books);
    await authors.delete(read.id);
    assert.deepStrictEqual([await books.count(), await authors.count()], [0, 0]);
    await source.query('DROP TABLE "book", "author"');
  } finally {
    await source.destroy();
  }
}

async function drizzleWorks() {
  const { drizzle } = require('drizzle-orm/node-postgres');
  const { pgTable, serial, integer, varchar, numeric, jsonb, timestamp, text } = require('drizzle-orm/pg-core');
  const { eq, sql, desc, relations } = require('drizzle-orm');
  const { Pool } = require('pg');
  const pool = new Pool({ ...at, max: 2 });
  const people = pgTable('people', { id: serial('id').primaryKey(), name: varchar('name', { length: 40 }).notNull().unique() });
  const posts = pgTable('posts', {
    id: serial('id').primaryKey(), personId: integer('person_id').references(() => people.id), price: numeric('price', { precision: 10, scale: 2 }),
    doc: jsonb('doc'), tags: text('tags').array(), made: timestamp('made', { withTimezone: true }),
  });
  const schema = {
    people, posts, ofPeople: relations(people, ({ many }) => ({ posts: many(posts) })),
    ofPosts: relations(posts, ({ one }) => ({ person: one(people, { fields: [posts.personId], references: [people.id] }) })),
  };
  const db = drizzle(pool, { schema });
  try {
    await db.execute(sql`DROP TABLE IF EXISTS posts, people`);
    await db.execute(sql`CREATE TABLE people (id serial PRIMARY KEY, name varchar(40) NOT NULL UNIQUE)`);
    await db.execute(sql`CREATE TABLE posts (id serial PRIMARY KEY, person_id int REFERENCES people, price numeric(10,2), doc jsonb, tags text[], made timestamptz)`);
    assert.deepStrictEqual(await db.insert(people).values([{ name: 'Anna' }, { name: 'Bert' }]).returning(), [{ id: 1, name: 'Anna' }, { id: 2, name: 'Bert' }]);
    await db.insert(posts).values([{ personId: 1, price: '2.50', doc: { a: [1] }, tags: ['x', 'y z'], made: day }, { personId: 1, price: '1' }]);
    const rows = await db.select({ name: people.name, total: sql`sum(${posts.price})` }).from(people).leftJoin(posts, eq(posts.personId, people.id)).groupBy(people.name).orderBy(desc(people.name));
    assert.deepStrictEqual(rows, [{ name: 'Bert', total: null }, { name: 'Anna', total: '3.50' }]);
    const nested = await db.query.people.findMany({ with: { posts: { orderBy: posts.id } }, orderBy: people.id });
    assert.deepStrictEqual(nested.map(p => [p.name, p.posts.length]), [['Anna', 2], ['Bert', 0]]);
    const one = nested[0].posts[0];
    assert.deepStrictEqual([one.price, one.doc, one.tags, new Date(one.made)], ['2.5', { a: [1] }, ['x', 'y z'], day]);
    await db.insert(people).values({ id: 1, name: 'Anne' }).onConflictDoUpdate({ target: people.id, set: { name: 'Anne' } });
    await assert.rejects(db.transaction(async tx => { await tx.delete(posts); throw new Error('back'); }));
    assert.deepStrictEqual(await db.select().from(people).where(eq(people.id, 1)), [{ id: 1, name: 'Anne' }]);
    assert.strictEqual(await db.$count(posts), 2);
    await db.execute(sql`DROP TABLE posts, people`);
  } finally {
    await pool.end();
  }
}

(async () => {
  let failed = 0;
  const wanted = process.argv.slice(3);
  for (const check of [knexWorks, sequelizeWorks, typeormWorks, drizzleWorks]) {
    if (wanted.length && !wanted.includes(check.name)) continue;
    try {
      await check();
    } catch (error) {
      failed += 1;
      console.error(`${check.name}: ${error.stack}\n${JSON.stringify(error.driverError || error.original || error.cause || {}, null, 1)}`);
    }
  }
  process.exit(failed ? 1 : 0);
})();
