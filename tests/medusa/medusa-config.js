// The settings that tests/medusa/real_medusa.py starts Medusa with.
const { DATABASE_URL, REDIS_URL, REDIS_PREFIX, JWT_SECRET, COOKIE_SECRET, ADMIN_CORS } = process.env;

module.exports = {
  projectConfig: {
    database_url: DATABASE_URL,
    database_extra: { ssl: false },
    redis_url: REDIS_URL,
    redis_prefix: REDIS_PREFIX,
    jwt_secret: JWT_SECRET,
    cookie_secret: COOKIE_SECRET,
    admin_cors: ADMIN_CORS,
    store_cors: ADMIN_CORS,
  },
  plugins: [],
  modules: {
    eventBus: { resolve: "@medusajs/event-bus-local" },
    cacheService: { resolve: "@medusajs/cache-inmemory" },
  },
};
