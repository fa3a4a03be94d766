/** Control calls: private endpoints of vaults, private DNS zones of the client's network, and queries of names. */
import * as z from 'zod';
import { type ControlRoute, notFound, param, read, vaultOf } from './controlCall.ts';
import { lookUpAlias, privateZoneOf } from './names.ts';

const privateZone = z.strictObject({
  records: z.array(z.string()).default([]),
  fallbackToInternet: z.boolean().default(false),
});

export const networkRoutes: ControlRoute[] = [
  {
    method: 'PUT',
    path: '/control/vaults/:vault/private-endpoint',
    about: 'give the vault a private endpoint: its public name becomes an alias in the zone that the answer names',
    run(call) {
      const vault = vaultOf(call);
      call.world.network.privateEndpoints.add(vault.name.toLowerCase());
      return { zone: privateZoneOf(vault) };
    },
  },
  {
    method: 'DELETE',
    path: '/control/vaults/:vault/private-endpoint',
    about: 'take the private endpoint of the vault away',
    run: (call) => void call.world.network.privateEndpoints.delete(vaultOf(call).name.toLowerCase()),
  },
  {
    method: 'PUT',
    path: '/control/private-zones/:zone',
    about:
      "link the client's network to a private DNS zone with records for these vaults; without fallbackToInternet it " +
      'hides every other vault that has a private endpoint',
    example: () => ({ records: ['keyward-operator'], fallbackToInternet: false }),
    run(call) {
      const { records, fallbackToInternet } = read(privateZone, call.body);
      const zone = { records: new Set(records.map((name) => name.toLowerCase())), fallbackToInternet };
      call.world.network.privateZones.set(param(call, 'zone').toLowerCase(), zone);
      return { zone: param(call, 'zone').toLowerCase(), records, fallbackToInternet };
    },
  },
  {
    method: 'DELETE',
    path: '/control/private-zones/:zone',
    about: "unlink the client's network from a private DNS zone",
    run(call) {
      const zone = param(call, 'zone').toLowerCase();
      if (!call.world.network.privateZones.delete(zone)) throw notFound(`private zone ${zone}`);
    },
  },
  {
    method: 'GET',
    path: '/control/names/:host',
    about: 'the alias (CNAME) of a host name in public DNS, or the code of the error that the query ends with',
    run: (call) => lookUpAlias(call.world, param(call, 'host')),
  },
];
