// Read by `medusa-admin build` alone: the dashboard and no other plugin.
module.exports = { projectConfig: {}, plugins: ["@medusajs/admin"] };
