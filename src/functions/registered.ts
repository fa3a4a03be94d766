/**
 * What registration needs of the route table. The built app has it as text, because the table itself loads every schema
 * (build.ts).
 */
export { registeredRoutes } from './routes.ts';
