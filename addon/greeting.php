#!/usr/bin/env php
<?php
// A late after handler (type="cgi"): adds a line to the answer of `desktop`, where the balance stands by now.
set_include_path(get_include_path() . PATH_SEPARATOR . dirname(__DIR__) . '/include/php');
define('__MODULE__', 'greeting');
require_once 'bill_util.php';

$param = CgiInput(true);
Debug('called for ' . $param['func'] . ' by ' . $_SERVER['AUTH_USER']);
$document = simplexml_load_string($default_xml_string);
$document->addChild('greeting', 'Hello ' . $_SERVER['AUTH_USER']);
echo $document->asXML();
